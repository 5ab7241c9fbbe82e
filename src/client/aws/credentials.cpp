#include "client/aws/credentials.h"

#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include "base/bytes.h"
#include "base/mutex.h"
#include "client/aws/local_endpoints.h"
#include "client/aws/profiles.h"
#include "client/aws/token_service.h"
#include "client/secret/secret_file.h"
#include "client/secret/secret_program.h"
#include "schema/json.h"

namespace lifeboat::aws {
namespace {

using Kind = Error::Kind;
using Found = Result<std::optional<Credentials>>;

constexpr auto renew_before = std::chrono::minutes(5);
constexpr auto look_again_after = std::chrono::seconds(20);
// While what is known is good: less than a heartbeat may be late.
constexpr auto renewal_wait = std::chrono::seconds(3);
constexpr auto look_up_every = std::chrono::milliseconds(50);  // of those who wait
constexpr int deepest_chain = 8;  // of profiles that take on each other's roles

std::string setting(const Profile& profile, const char* name) {
  const auto found = profile.find(name);
  return found == profile.end() ? std::string() : found->second;
}

Role role_of(const Profile& profile) {
  return {setting(profile, "role_arn"), setting(profile, "role_session_name"),
          setting(profile, "external_id"), setting(profile, "duration_seconds")};
}

Found from_environment(const Variables& variables) {
  Credentials found{variables("AWS_ACCESS_KEY_ID"), Secret(variables("AWS_SECRET_ACCESS_KEY")),
                    Secret(variables("AWS_SESSION_TOKEN"))};
  if (found.access_key.empty() && found.secret_key.empty()) return std::nullopt;
  if (found.access_key.empty() || found.secret_key.empty()) {
    return fail(Kind::denied, "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set",
                "set both, or neither");
  }
  return found;
}

Found from_token_file(const Operation& op, const Surroundings& around, const std::string& file,
                      const Role& role) {
  auto token = read_secret_file(op, file);
  if (!token) return wrap(std::move(token).error(), "web identity token of role " + role.arn);
  TRY(Credentials found, assume_role_with_token(op, around, role, *token));
  return std::optional(std::move(found));
}

// What credential_process prints.
Result<Credentials> read_process_answer(const Secret& text, const std::string& profile) {
  const auto answer = parse_json(text.reveal());
  Credentials found;
  if (answer && answer->integer("Version", 0) == 1) {
    found = {answer->text("AccessKeyId"), Secret(answer->text("SecretAccessKey")),
             Secret(answer->text("SessionToken"))};
    found.expires = parse_rfc3339(answer->text("Expiration"));
  }
  if (!found.access_key.empty() && !found.secret_key.empty()) return found;
  return fail(Kind::invalid,
              "credential_process of profile " + printable(profile) +
                  " printed no credentials of version 1",
              "it has to print JSON with Version, AccessKeyId and SecretAccessKey");
}

class ProfileChain {
 public:
  ProfileChain(const Operation& op, const Surroundings& around, InstanceSeen& seen)
      : op_(op), around_(around), seen_(seen), all_(read_profile_files(around.variables)) {}

  // Roles of the profile first, then its keys.
  Found find(const std::string& name, int depth = 0) {
    const auto found = all_.find(name);
    if (found == all_.end()) return std::nullopt;
    const Profile& profile = found->second;
    if (depth > deepest_chain) {
      return fail(Kind::invalid,
                  "profile " + printable(name) + ": source_profile goes in a circle");
    }
    if (!setting(profile, "role_arn").empty()) return by_role(name, profile, depth);
    if (!setting(profile, "aws_access_key_id").empty()) {
      return std::optional(Credentials{setting(profile, "aws_access_key_id"),
                                       Secret(setting(profile, "aws_secret_access_key")),
                                       Secret(setting(profile, "aws_session_token"))});
    }
    if (!setting(profile, "credential_process").empty()) return by_process(name, profile);
    if (!setting(profile, "sso_start_url").empty() || !setting(profile, "sso_session").empty()) {
      return fail(Kind::denied,
                  "profile " + printable(name) + ": sessions of `aws sso login` are not read",
                  "eval \"$(aws configure export-credentials --profile " + printable(name) +
                      " --format env)\"");
    }
    return std::nullopt;
  }
  bool knows(const std::string& name) const { return all_.contains(name); }

 private:
  Found by_role(const std::string& name, const Profile& profile, int depth) {
    const Role role = role_of(profile);
    const std::string file = setting(profile, "web_identity_token_file");
    if (!file.empty()) return from_token_file(op_, around_, file, role);
    if (!setting(profile, "mfa_serial").empty()) {
      return fail(Kind::denied, "profile " + printable(name) + " asks for a second factor",
                  "take the role on yourself, and give its session by AWS_ACCESS_KEY_ID, "
                  "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
                  Error::Code::needs_person);
    }
    TRY(const auto caller, caller_of(name, profile, depth));
    if (!caller) {
      return fail(Kind::denied,
                  "profile " + printable(name) + " has role_arn, and nobody to take it",
                  "add source_profile or credential_source");
    }
    TRY(Credentials taken, assume_role(op_, around_, role, *caller));
    return std::optional(std::move(taken));
  }

  Found caller_of(const std::string& name, const Profile& profile, int depth) {
    const std::string source = setting(profile, "credential_source");
    if (source == "Environment") return from_environment(around_.variables);
    if (source == "EcsContainer") return from_container(op_, around_);
    if (source == "Ec2InstanceMetadata") return from_instance(op_, around_, seen_);
    const std::string other = setting(profile, "source_profile");
    if (other.empty()) return std::nullopt;
    if (other != name) return find(other, depth + 1);
    // A profile may take its role on with keys of its own.
    if (setting(profile, "aws_access_key_id").empty()) return std::nullopt;
    return std::optional(Credentials{setting(profile, "aws_access_key_id"),
                                     Secret(setting(profile, "aws_secret_access_key")),
                                     Secret(setting(profile, "aws_session_token"))});
  }

  Found by_process(const std::string& name, const Profile& profile) {
    Command command;
    command.argv = {"/bin/sh", "-c", setting(profile, "credential_process")};
    auto told = ask_secret_program(op_, *around_.launcher, std::move(command));
    if (!told) return wrap(std::move(told).error(), "credential_process of profile " + name);
    TRY(Credentials found, read_process_answer(*told, name));
    return std::optional(std::move(found));
  }

  const Operation& op_;
  const Surroundings& around_;
  InstanceSeen& seen_;
  const Profiles all_;
};

Found from_profile(const Operation& op, const Surroundings& around, InstanceSeen& seen) {
  const std::string profile = profile_name(around.variables);
  ProfileChain profiles(op, around, seen);
  if (names_profile(around.variables) && !profiles.knows(profile)) {
    return fail(Kind::denied, "there is no profile " + printable(profile),
                "AWS_PROFILE names one of ~/.aws/config or ~/.aws/credentials");
  }
  return profiles.find(profile);
}

Found from_web_identity(const Operation& op, const Surroundings& around) {
  const std::string token = around.variables("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (token.empty()) return std::nullopt;
  return from_token_file(
      op, around, token,
      {around.variables("AWS_ROLE_ARN"), around.variables("AWS_ROLE_SESSION_NAME"), "", ""});
}

Result<Credentials> look_everywhere(const Operation& op, const Surroundings& around,
                                    InstanceSeen& seen) {
  TRY(auto found, from_environment(around.variables));
  // Who names a profile means it; who does not, in a pod, means the pod's own role.
  const bool named = names_profile(around.variables);
  using Place = std::function<Found()>;
  const Place profile = [&] { return from_profile(op, around, seen); };
  const Place identity = [&] { return from_web_identity(op, around); };
  const Place container = [&] { return from_container(op, around); };
  const Place instance = [&] { return from_instance(op, around, seen); };
  for (const Place* place :
       {named ? &profile : &identity, named ? &identity : &profile, &container, &instance}) {
    if (found) break;
    TRY(found, (*place)());
  }
  if (found) return *std::move(found);
  return fail(
      Kind::denied,
      fmt::format("no AWS credentials: neither AWS_ACCESS_KEY_ID, profile {}, a web identity, "
                  "a container's nor an instance's",
                  printable(profile_name(around.variables))),
      "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
}

class FoundCredentials final : public CredentialSource {
 public:
  explicit FoundCredentials(Surroundings around) : around_(std::move(around)) {}

  // One thread asks, for a token service is not to be asked by all at once. The others go on with
  // what is known while it is good, and wait for the answer when it is not.
  Result<Credentials> get(const Operation& op) override {
    for (;;) {
      const Turn turn = take_turn();
      if (turn.asks) return ask(op, turn.known);
      if (turn.known) return *turn.known;
      TRY_DO(op.proceed());
    }
  }
  void forget(const std::string& access_key) override {
    MutexLock lock(mutex_);
    if (known_ && known_->access_key == access_key) known_.reset();
  }

 private:
  struct Turn {
    std::optional<Credentials> known = std::nullopt;  // and good
    bool asks = false;
  };

  Turn take_turn() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (known_ && lasts(*known_, renew_before)) return {known_};
    Turn turn;
    if (known_ && lasts(*known_, std::chrono::seconds(0))) turn.known = known_;
    const auto now = around_.clock->boot();
    turn.asks = !asking_ && (!turn.known || now >= next_look_);
    if (turn.asks) {
      asking_ = true;
      next_look_ = now + look_again_after;
    } else if (!turn.known) {
      changed_.wait_for(mutex_, look_up_every);
    }
    return turn;
  }

  Result<Credentials> ask(const Operation& op, const std::optional<Credentials>& spare)
      EXCLUDES(mutex_) {
    auto found = look_everywhere(spare ? op.within(renewal_wait) : op, around_, seen_);
    MutexLock lock(mutex_);
    asking_ = false;
    changed_.notify_all();
    if (found) known_ = *found;
    // Somebody may be away for a moment, and what we have is good for as long.
    if (!found && spare) return *spare;
    return found;
  }

  bool lasts(const Credentials& known, std::chrono::nanoseconds longer) const {
    return !known.expires || known.expires->ns > around_.clock->wall().ns + longer.count();
  }

  const Surroundings around_;
  InstanceSeen seen_;
  Mutex mutex_;
  Condition changed_;
  bool asking_ GUARDED_BY(mutex_) = false;  // somebody asks, without the lock
  std::optional<Credentials> known_ GUARDED_BY(mutex_);
  std::chrono::nanoseconds next_look_ GUARDED_BY(mutex_){};  // while what is known is good
};

Profile own_profile(const Variables& variables) {
  const Profiles all = read_profile_files(variables);
  const auto found = all.find(profile_name(variables));
  return found == all.end() ? Profile{} : found->second;
}

}  // namespace

Variables own_environment() {
  return [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  };
}

std::unique_ptr<CredentialSource> find_credentials(const Surroundings& around) {
  return std::make_unique<FoundCredentials>(around);
}

std::string find_region(const Variables& variables) {
  for (const char* variable : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (std::string region = variables(variable); !region.empty()) return region;
  }
  return setting(own_profile(variables), "region");
}

Result<Endpoint> find_endpoint(const Variables& variables, const std::string& service,
                               const std::string& region) {
  std::string upper = service;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string named = variables("AWS_ENDPOINT_URL_" + upper);
  if (named.empty()) named = variables("AWS_ENDPOINT_URL");
  if (named.empty()) named = setting(own_profile(variables), "endpoint_url");
  if (!named.empty()) {
    TRY(std::string url, read_endpoint(named));
    return Endpoint{std::move(url), false};
  }
  constexpr const char* letters = "abcdefghijklmnopqrstuvwxyz0123456789-";
  if (region.empty() || region.find_first_not_of(letters) != std::string::npos) {
    return fail(Kind::invalid, "'" + printable(region) + "' is no region of AWS",
                "one looks like eu-west-1");
  }
  const char* domain = region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  return Endpoint{fmt::format("https://{}.{}.{}", service, region, domain), true};
}

std::string find_ca_file(const Variables& variables) {
  const std::string named = variables("AWS_CA_BUNDLE");
  return named.empty() ? setting(own_profile(variables), "ca_bundle") : named;
}

}  // namespace lifeboat::aws
