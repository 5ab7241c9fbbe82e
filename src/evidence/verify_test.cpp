// What a bundle that was changed is found out by; and what of the words in it is proven. K5, L1.
#include "evidence/verify.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>

#include "base/fake_clock.h"
#include "base/temporary_folder.h"
#include "evidence/evidence_fixture.h"
#include "evidence/folder.h"
#include "journal/fake_repository.h"
#include "run/plan_codec.h"
#include "store/memory.h"
#include "test_places.h"

namespace lifeboat::evidence {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Verify : public testing::Test {
 protected:
  FakeClock clock_;
  SeededRandom random_{1};
  store::MemoryStore store_;
  journal::FakeRepository repository_{
      store_, repo::Environment{&clock_, &random_, "host", {}, {}, 1, 1u << 20}};
  const Account account_ = sample_account(repository_);
  Document document_ = make_document(account_);
  const Files files_ = bundle_of(document_, repository_, account_.maker.operator_key);

  std::string root() { return crypt::verify_key_text(repository_.signer().root); }
  // The same bundle of another document, signed as well as the first one.
  Verdict of_changed() { return verify(bundle_of(document_, repository_, key_of(1)), {}); }
  Value& request(std::size_t number) {
    return document_.value.map().at("people").map().at("requests").list().at(number);
  }
  // Exit status of tools/verify_evidence.py.
  static int page_says(const Files& files, const std::string& options) {
    const auto place = TemporaryFolder::make("evidence");
    EXPECT_TRUE(place && write_folder(place->path() + "/bundle", files));
    const std::string command = LIFEBOAT_SOURCE_DIR "/tools/verify_evidence.py " + place->path() +
                                "/bundle " + options + " >/dev/null";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static Verdict with_flip(Files files, const std::string& name, std::size_t at) {
    files.at(name)[at] ^= static_cast<std::uint8_t>(1u << (at % 8));
    return verify(files, {});
  }
};

TEST_F(Verify, AnUnchangedBundleIsWholeAndTellsWhoSigned) {
  const Verdict verdict = verify(files_, {});
  ASSERT_THAT(verdict.faults, IsEmpty()) << verdict.faults.front().what;
  EXPECT_THAT(verdict.signers, SizeIs(2));
  EXPECT_THAT(verdict.signers, Each(Field(&SignedBy::holds, true)));
  EXPECT_THAT(verdict.headline, HasSubstr("PARTLY RECOVERED"));
  EXPECT_EQ(verdict.approvals, 1U);
  EXPECT_EQ(verdict.signed_requests, 4U);
  EXPECT_FALSE(verdict.trusted());
}

TEST_F(Verify, TrustComesFromKeysThatTheCallerKnows) {
  EXPECT_TRUE(verify(files_, {root()}).trusted());
  EXPECT_TRUE(verify(files_, {crypt::verify_key_text(repository_.signer().writer)}).trusted());
  EXPECT_TRUE(verify(files_, {crypt::verify_key_text(key_of(1).verify_key)}).trusted());
  EXPECT_FALSE(verify(files_, {crypt::verify_key_text(key_of(2).verify_key)}).trusted());
}

TEST_F(Verify, EveryByteOfEveryFileIsCoveredAndItsFileIsNamed) {
  const bool all = std::getenv("LIFEBOAT_LONG") != nullptr;
  for (const auto& [name, bytes] : files_) {
    // Each byte of what is signed; of files that are digested, all of them with LIFEBOAT_LONG.
    const bool signed_by_itself = name == manifest_file || name == signatures_file;
    const bool page = name == "evidence.html" || name == "evidence.md";
    const std::size_t stride = all || signed_by_itself ? 1 : page ? 101 : 5;
    for (std::size_t at = 0; at < bytes.size(); at += stride) {
      const Verdict verdict = with_flip(files_, name, at);
      ASSERT_FALSE(verdict.faults.empty()) << name << " byte " << at;
      ASSERT_THAT(verdict.faults, Each(Field(&Fault::file, name))) << "byte " << at;
    }
  }
}

TEST_F(Verify, WhatIsAddedRemovedCutOrLengthenedIsNamed) {
  for (const auto& [name, bytes] : files_) {
    Files files = files_;
    files.erase(name);
    EXPECT_THAT(verify(files, {}).faults, Contains(Field(&Fault::file, name)));
    files[name] = Bytes(bytes.begin(), bytes.end() - 1);
    EXPECT_THAT(verify(files, {}).faults, Contains(Field(&Fault::file, name)));
    files[name] = bytes;
    files[name].push_back('\n');
    EXPECT_THAT(verify(files, {}).faults, Contains(Field(&Fault::file, name)));
  }
  Files files = files_;
  files["more.txt"] = {};
  EXPECT_THAT(verify(files, {}).faults, ElementsAre(Field(&Fault::file, "more.txt")));
  EXPECT_FALSE(verify({}, {}).whole());
}

TEST_F(Verify, ASignatureOfAnotherRepositoryIsAnothersAndItsCertificateCannotBeBorrowed) {
  journal::FakeRepository other(
      store_, repo::Environment{&clock_, &random_, "host", {}, {}, 1, 1u << 20}, "other");
  const Verdict moved = verify(bundle_of(document_, other, std::nullopt), {root()});
  EXPECT_FALSE(moved.whole());  // the certificate is of another repository id
  EXPECT_FALSE(moved.trusted());
  // Another key under the certificate of the first.
  Files files = bundle_of(document_, other, std::nullopt);
  Manifest manifest = *decode_manifest(files.at("manifest.json"));
  const Manifest first = *decode_manifest(files_.at("manifest.json"));
  manifest.signers[0].root = first.signers[0].root;
  manifest.signers[0].certificate = first.signers[0].certificate;
  files["manifest.json"] = encode(manifest);
  const Bytes& bytes = files.at("manifest.json");
  files["signatures.json"] = encode(Signatures{
      crypt::sha256(bytes).hex(), {crypt::signature_text(other.sign(signing_context, bytes))}});
  const Verdict borrowed = verify(files, {root()});
  EXPECT_THAT(borrowed.faults, Contains(Field(&Fault::what, HasSubstr("certificate"))));
  EXPECT_FALSE(borrowed.trusted());
}

// A line of the manifest names what it likes: who signs it has proven the key, and nothing else.
TEST_F(Verify, ATrustedRootThatIsOnlyNamedMakesNobodyTrusted) {
  const crypt::SigningKey mallory = key_of(3);
  const std::string key = crypt::verify_key_text(mallory.verify_key);
  const SignerLine borrowed = decode_manifest(files_.at("manifest.json"))->signers.at(0);
  for (const SignerLine& line :
       {SignerLine{"operator", key, root(), ""},
        SignerLine{"operator", key, root(), borrowed.certificate},
        SignerLine{"operator", key, "", borrowed.certificate}, SignerLine{"auditor", key, "", ""},
        SignerLine{"auditor", key, root(), borrowed.certificate}, SignerLine{"", key, root(), ""},
        SignerLine{"repository", key, root(), ""},
        SignerLine{"repository", key, root(), borrowed.certificate}}) {
    Files files = files_;
    Manifest manifest = *decode_manifest(files.at("manifest.json"));
    manifest.signers = {line};
    const Bytes bytes = files["manifest.json"] = encode(manifest);
    files["signatures.json"] =
        encode(Signatures{crypt::sha256(bytes).hex(),
                          {crypt::signature_text(crypt::sign(mallory, signing_context, bytes))}});
    const Verdict verdict = verify(files, {root()});
    EXPECT_THAT(verdict.signers, ElementsAre(Field(&SignedBy::holds, true))) << line.role;
    EXPECT_FALSE(verdict.trusted()) << line.role;
    EXPECT_THAT(verdict.faults, ElementsAre(Field(&Fault::file, "manifest.json"))) << line.role;
    // The program that was written from the page says the same.
    EXPECT_EQ(page_says(files, "--trust " + root()), 1) << line.role;
  }
  EXPECT_EQ(page_says(files_, "--trust " + root()), 0);
}

TEST_F(Verify, ANewerVersionIsNamedAndNotGuessedAt) {
  const auto of_version = [](const Bytes& bytes, int version) {
    std::string text(as_text(bytes));
    text.replace(text.rfind("\"version\":1"), 11, "\"version\":" + std::to_string(version));
    return to_bytes(text);
  };
  // A manifest that a later program wrote: its signatures are of these bytes.
  Files files = files_;
  const Bytes manifest = files["manifest.json"] = of_version(files.at("manifest.json"), 2);
  Signatures signatures = *decode_signatures(files_.at("signatures.json"));
  signatures.manifest = crypt::sha256(manifest).hex();
  files["signatures.json"] = encode(signatures);
  for (const bool both : {false, true}) {
    if (both) files["signatures.json"] = of_version(files.at("signatures.json"), 2);
    const Verdict verdict = verify(files, {root()});
    EXPECT_TRUE(verdict.too_new()) << both;
    EXPECT_FALSE(verdict.whole() || verdict.trusted());
    EXPECT_THAT(verdict.faults, Contains(Field(&Fault::what, HasSubstr("version 2"))));
    EXPECT_EQ(page_says(files, ""), 4);
  }
  // A record of one.
  document_.value.set("version", 2);
  files = bundle_of(document_, repository_, std::nullopt);
  EXPECT_TRUE(verify(files, {}).too_new());
  EXPECT_EQ(page_says(files, ""), 4);

  // What was only changed to look so is not.
  const auto changed = [&](const std::string& name, int version) {
    Files other = files_;
    other[name] = of_version(other.at(name), version);
    const Verdict verdict = verify(other, {});
    EXPECT_THAT(verdict.faults, Contains(Field(&Fault::file, name)));
    EXPECT_EQ(page_says(other, ""), 1) << name << version;
    return !verdict.whole() && !verdict.too_new();
  };
  EXPECT_TRUE(changed("manifest.json", 2));
  EXPECT_TRUE(changed("manifest.json", 0));
  EXPECT_TRUE(changed("signatures.json", 2));
  EXPECT_TRUE(changed("evidence.json", 2));
}

// Whoever holds the repository's key can sign any record: the operators' words in it still tell.

TEST_F(Verify, AnApprovalThatNobodySignedIsFoundOut) {
  request(3).set("signature", crypt::signature_text(
                                  crypt::sign(key_of(2), "lifeboat/v1/request", as_bytes("yes"))));
  EXPECT_THAT(of_changed().faults,
              Contains(Field(&Fault::what, HasSubstr("the signature is not of these words"))));
}

TEST_F(Verify, AnApprovalOfAnotherStepIsFoundOut) {
  request(3).set("step", "db");
  const Verdict verdict = of_changed();
  EXPECT_THAT(verdict.faults,
              Contains(Field(&Fault::what, HasSubstr("the words that were signed are others"))));
  EXPECT_THAT(verdict.faults,
              Contains(Field(&Fault::what, HasSubstr("traffic: it began without"))));
}

TEST_F(Verify, AnApprovalUnderAnotherNameIsFoundOut) {
  request(3).set("by", "bob");
  EXPECT_THAT(of_changed().faults,
              Contains(Field(&Fault::what, HasSubstr("the key is not that of the operator"))));
}

TEST_F(Verify, AnApprovalOfOtherInputsIsFoundOut) {
  request(3).set("inputs_version", 0);
  EXPECT_THAT(of_changed().faults,
              Contains(Field(&Fault::what, HasSubstr("given for another plan, other inputs"))));
}

TEST_F(Verify, APlanThatWasExchangedIsFoundOut) {
  plan::Plan plan = account_.outcome.state.pins.plan;
  plan.steps.back().approve->count = 2;
  document_.plans[0] = to_json(run::to_value(plan));
  EXPECT_THAT(of_changed().faults, ElementsAre(Field(&Fault::file, "plan.json")));
  // With its digest as well: then it is not the plan that alice signed for.
  document_.value.map().at("plans").list().at(0).set(
      "sha256", crypt::sha256(as_bytes(document_.plans[0])).hex());
  EXPECT_THAT(of_changed().faults,
              Contains(Field(&Fault::what, HasSubstr("given for another plan"))));
}

TEST_F(Verify, AStepThatBeganWithoutItsApprovalIsFoundOut) {
  document_.value.map().at("people").map().at("requests").list().pop_back();
  EXPECT_THAT(of_changed().faults,
              ElementsAre(Field(&Fault::what, HasSubstr("traffic: it began without"))));
}

TEST_F(Verify, AnApprovalThatHadExpiredOpensNoGate) {
  Value& steps = document_.value.map().at("steps");
  Value& attempt = steps.list().back().map().at("attempts").list().back();
  attempt.set("begun_ns", attempt.integer("begun_ns", 0) + 3'601'000'000'000);
  EXPECT_THAT(of_changed().faults,
              ElementsAre(Field(&Fault::what, HasSubstr("traffic: it began without"))));
}

TEST_F(Verify, AStepThatIsLeftOutOfTheRecordIsFoundOut) {
  document_.value.map().at("steps").list().pop_back();
  EXPECT_THAT(of_changed().faults,
              ElementsAre(Field(&Fault::what, HasSubstr("traffic: the plan has it"))));
}

TEST_F(Verify, WhatALaterVersionAddsToAPlanIsComparedAsItStands) {
  // Alice signs for a plan with a word in it that this program does not know.
  Value plan = *parse_json(document_.plans[0]);
  plan.set("of_later", 1);
  document_.plans[0] = to_json(plan);
  document_.value.map().at("plans").list().at(0).set(
      "sha256", crypt::sha256(as_bytes(document_.plans[0])).hex());
  Value words = *parse_json(request(3).text("text"));
  words.set("subject", run::digest({document_.value.text("run"), "traffic", plan,
                                    document_.value.at("inputs").list().at(1),
                                    document_.value.at("point").text("id")}));
  const std::string text = to_json(words);
  request(3).set("text", text);
  request(3).set("signature", crypt::signature_text(
                                  crypt::sign(key_of(1), "lifeboat/v1/request", as_bytes(text))));
  EXPECT_THAT(of_changed().faults, IsEmpty());
}

TEST_F(Verify, ARecordOfAnyShapeIsLookedAtWithoutHarm) {
  for (const char* text : {"null", "[]", "{}", "{\"people\":1}", "{\"people\":{\"operators\":[]}}",
                           "{\"plans\":[1,{\"file\":\"plan.json\"}]}",
                           "{\"people\":{\"requests\":[1,{\"signed\":true,\"accepted\":true}]}}"}) {
    document_.value = *parse_json(text);
    if (document_.value.is(Value::Type::map)) {
      document_.value.set("format", "lifeboat-evidence").set("version", 1);
      document_.value.set("steps", Value(Value::List{Value(Value::Map{{"gate", Value(1)}}), 7}));
    }
    Files files = bundle_of(document_, repository_, std::nullopt);
    EXPECT_FALSE(verify(files, {}).whole()) << text;
  }
}

// Whether a record still says what an earlier version said: members may have come, none may go.
// Digests and signatures follow from the plan as a program writes it.
void expect_still_says(const Value& made, const Value& golden, const std::string& place) {
  if (golden.is(Value::Type::map)) {
    for (const auto& [name, value] : golden.map()) {
      const bool follows = name == "sha256" || name == "text" || name == "signature";
      const bool of_finding = name == "text" && !golden.has("signature");
      if (!follows || of_finding) expect_still_says(made.at(name), value, place + "." + name);
    }
  } else if (golden.is(Value::Type::list)) {
    ASSERT_TRUE(made.is(Value::Type::list)) << place;
    ASSERT_EQ(made.list().size(), golden.list().size()) << place;
    for (std::size_t i = 0; i < golden.list().size(); ++i) {
      expect_still_says(made.list()[i], golden.list()[i], place + "[" + std::to_string(i) + "]");
    }
  } else {
    EXPECT_EQ(to_json(made), to_json(golden)) << place;
  }
}

TEST_F(Verify, TheGoldenBundleOfVersion1VerifiesAndItsRecordIsMadeAgain) {
  const auto golden = read_folder(LIFEBOAT_SOURCE_DIR "/tests/golden/v1/evidence");
  ASSERT_TRUE(golden) << golden.error().what;
  const Verdict verdict = verify(*golden, {root()});
  EXPECT_THAT(verdict.faults, IsEmpty());
  EXPECT_TRUE(verdict.trusted());
  EXPECT_EQ(verdict.approvals, 1U);
  expect_still_says(document_.value, *parse_json(as_text(golden->at("evidence.json"))), "");
}

}  // namespace
}  // namespace lifeboat::evidence
