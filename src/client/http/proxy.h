// client/http/proxy.h - What a proxy answers in the place of the server that was asked.
//
// Threads: functions; they read the environment.
#pragma once

#include <string>

#include "client/http/http.h"

namespace lifeboat {

// The variable that names the proxy for such URLs, looked for as libcurl does; "" when none does.
std::string proxy_variable(const UrlParts& parts);

// A proxy that does not let us through answered `status`. The error names it and its variable,
// never its login: denied (407: it asks for one; other refusals), unavailable (it cannot reach the
// server for now).
Error refused_by_proxy(const UrlParts& parts, int status);

}  // namespace lifeboat
