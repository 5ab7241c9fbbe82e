// client/aws/local_endpoints.h - Credentials that the place where we run hands out over HTTP.
//
// Threads: functions.
// Source: "Container credential provider" and "IMDS credential provider", AWS SDKs and Tools
// Reference Guide.
#pragma once

#include <atomic>
#include <optional>

#include "client/aws/credentials.h"

namespace lifeboat::aws {

// Of a container of ECS or a pod of EKS; nothing where we are in none.
// Errors: denied (an address that is neither local nor https), unavailable, invalid.
Result<std::optional<Credentials>> from_container(const Operation& op, const Surroundings& around);

// Whether a metadata service has ever answered here: one that has is away for a moment when it does
// not, and not absent.
struct InstanceSeen {
  std::atomic<bool> answered = false;
};
// Of an instance of EC2, by version 2 of its metadata service; nothing where there is none, or
// AWS_EC2_METADATA_DISABLED is true.  Errors: cancelled, invalid, unavailable (one that was seen
// does not answer, or has no time).
Result<std::optional<Credentials>> from_instance(const Operation& op, const Surroundings& around,
                                                 InstanceSeen& seen);

}  // namespace lifeboat::aws
