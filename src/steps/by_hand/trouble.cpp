// What to do about each class of error, by type of step.
#include <algorithm>
#include <array>

#include "steps/by_hand/by_hand.h"

namespace lifeboat::steps::by_hand {
namespace {

struct Trouble {
  const char* type;
  const char* unavailable;
  const char* denied;
  const char* conflict;
  const char* invalid;
  const char* corrupt;
  const char* not_found;
};

constexpr std::array table = {
    Trouble{"exec",
            "Read what the program said on standard error; look whether what it needs is up. Run "
            "it again: it goes on where it was.",
            "Exit status 77, or permission denied: run it as the account that owns the target.",
            "Somebody else runs it, or what it makes is there already: wait for them, or take that "
            "away first.",
            "Exit status 64, 78, 126 or 127: program or settings are wrong. Compare with the "
            "platform file; install what is missing.",
            "The program or its files are damaged: unpack the bundle again.",
            "What it names is not there: look at the path of the program and of its folder, and "
            "whether the step that makes it was done."},
    Trouble{"restore",
            "The target or the repository does not answer: look at the server, the network, the "
            "disk; run it again, it goes on.",
            "The login at the target or the key of the repository is refused: check user, password "
            "file and key.",
            "The target holds other data: make sure that it is the right one, then `--keep-aside`; "
            "or name an empty one.",
            "The target is of another kind, or a newer version is needed: read the message; "
            "`lifeboat snapshots` lists what there is.",
            "Stop. `lifeboat check --read-data` says what is damaged; take the recovery point "
            "before, or another copy of the repository.",
            "What it restores from or into is not there: `lifeboat points` and `lifeboat "
            "snapshots` list the one, the step that makes the server brings the other."},
    Trouble{"compare", "One of the two sides does not answer: start it, then compare again.",
            "A login is refused: check user and password of both sides.",
            "Somebody writes while it is compared: stop the writers, then compare again.",
            "There is no such source: `lifeboat snapshots` lists them.",
            "Stop: what is stored does not prove itself. `lifeboat check --read-data`.",
            "The system, or a database or folder in it, is not there: restore it first, or look "
            "whether `at` names the right one."},
    Trouble{
        "sql", "The server does not answer: `pg_isready`, its log, host and port of the URL.",
        "The login, or a right of the user, is refused: check password and `pg_hba.conf`, or "
        "connect "
        "as a superuser.",
        "An object is there already, or a lock is held: look into `pg_stat_activity` and "
        "`pg_locks`.",
        "A statement does not fit this database: is it the right one, and was it restored before?",
        "The server reports damaged data: stop it, restore into a new one.",
        "The database is not there: restore it first, or look at its name in the URL."},
    Trouble{"postgres-roles",
            "The server does not answer: `pg_isready`, its log, host and port of the URL.",
            "The user may not make roles: connect as a superuser, or grant it CREATEROLE.",
            "Another session changes the same role: wait, then run it again.",
            "A name or a group is not there: restore the databases with their roles first.",
            "The server reports damaged data: stop it, restore into a new one.",
            "The database of the URL is not there: restore it first, or connect to `postgres`."},
    Trouble{
        "rabbitmq-users",
        "The management API does not answer: is the plugin `rabbitmq_management` on, is the port "
        "that of the URL?",
        "401 or 403: the user is no administrator, or its password is another one.",
        "The broker refuses a change while a node is away: bring the cluster together first.",
        "404 or 400: the virtual host is not there (restore the broker first), or a tag is "
        "unknown.",
        "The broker does not start from its data: make a new one and restore it.",
        "404: the virtual host or the user is not there: restore the broker first."},
    Trouble{
        "git-edit",
        "The repository cannot be reached: look at host, path and network, then clone again.",
        "The login or the push is refused: check user, token and the protection of the branch.",
        "The push was rejected because somebody else pushed: clone and edit again, never "
        "`--force`.",
        "A file or a key is not there: look into the clone; the layout has changed since the plan "
        "was written.",
        "`git fsck` reports damage: restore the repository again.",
        "The repository or the branch is not there: restore it first, or look at its name in the "
        "plan."},
    Trouble{
        "http-check",
        "Nothing answers: is the service up, does the port listen, does the name resolve?",
        "401 or 403: check user, password and headers.",
        "409: what the request makes is there already: look at it, delete it where that is right.",
        "Another status or body than expected: read the answer in `$work`, and the service's log.",
        "The answer breaks off or is not what its type says: look at proxies between here and "
        "there.",
        "404: the page, or what an earlier request should have made, is not there: look at the "
        "path and at what was restored. A CA file is not there: which step writes it?"},
    Trouble{"notify", "The server does not answer: try another way to reach these people.",
            "The login is refused: check user, password, or the secret in the URL.",
            "It was told already: do not tell it twice.",
            "The address or the message is refused: read the answer.",
            "The certificate or the answer cannot be trusted: ask whoever runs the server.",
            "The CA file is not there, or the page answers 404: look at the path and the URL."},
    Trouble{"wait",
            "It does not answer yet: look at the log of what should, and at firewalls between.",
            "It answers, and refuses: check user and password.",
            "Something else listens on that port: find it with `ss -ltnp`.",
            "The address, URL or query is wrong: compare with the step that made it.",
            "It answers with nonsense: is it the right service?",
            "The database, or the CA file, is not there yet: was the step that makes it done?"},
    Trouble{
        "dns-check",
        "A name server does not answer: ask it from elsewhere, look at port 53, UDP and TCP.",
        "REFUSED: this server does not serve the zone to you; ask an authoritative one.",
        "Servers disagree: the zone has not reached all of them; compare the serials of their SOA.",
        "NXDOMAIN or other records: change the zone, raise its serial, wait for the TTL.",
        "DNSSEC fails: look at the DS record of the parent zone.",
        "The delegation ends nowhere, or this machine has no resolver: look at the NS records of "
        "the zone above and at `/etc/resolv.conf`."},
    Trouble{"tls-check", "Nothing answers at the address: is the server up, and is it this port?",
            "The chain is not trusted: the server has to send the intermediate certificates, or "
            "give the right CA file.",
            "It shows the certificate of another name: look at its virtual hosts (SNI).",
            "Expired, or for other names: issue a new one.",
            "The handshake breaks off: compare protocol versions, look for a proxy between.",
            "The CA file is not there: which step writes it, or which path is meant?"},
    Trouble{
        "file-check", "The folder is not mounted: mount it, then look again.",
        "You may not read it: run this as its owner or root.",
        "Something else is in its place: look what `stat` says.",
        "It differs from what is wanted: which step writes it, and was that one run?",
        "The checksum differs: restore it again; if it still does, `lifeboat check --read-data`.",
        "Nothing is there: was the step that makes it done, is the path right, is the folder "
        "mounted?"},
};

}  // namespace

void troubles(plan::ByHand& hand) {
  const std::string type = hand.node().type == "journey" ? "http-check" : hand.node().type;
  const auto* found =
      std::ranges::find_if(table, [&](const Trouble& one) { return type == one.type; });
  if (found == table.end()) return;
  hand.trouble("unavailable", found->unavailable);
  hand.trouble("denied", found->denied);
  hand.trouble("conflict", found->conflict);
  hand.trouble("invalid", found->invalid);
  hand.trouble("corrupt", found->corrupt);
  hand.trouble("not_found", found->not_found);
}

}  // namespace lifeboat::steps::by_hand
