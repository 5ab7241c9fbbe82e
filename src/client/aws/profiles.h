// client/aws/profiles.h - The shared configuration files of AWS's tools.
//
// Threads: values.
// Source: "Shared config and credentials files", AWS SDKs and Tools Reference Guide.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "client/aws/credentials.h"

namespace lifeboat::aws {

using Profile = std::map<std::string, std::string>;  // setting -> value
using Profiles = std::map<std::string, Profile>;

// Text of ~/.aws/config ("[profile NAME]", "[default]") or ~/.aws/credentials ("[NAME]"). Nested
// settings and sections of other kinds are passed over; no line is an error, as for AWS's tools.
void read_profiles(std::string_view text, bool is_config, Profiles& profiles);

// Both files, from where AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE say they are; of each at
// most 1 MiB.
Profiles read_profile_files(const Variables& variables);
// AWS_PROFILE, AWS_DEFAULT_PROFILE, or "default".
std::string profile_name(const Variables& variables);
// Whether one of the two is set.
bool names_profile(const Variables& variables);

}  // namespace lifeboat::aws
