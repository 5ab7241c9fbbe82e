// Pages of evidence hold what the record holds, as text. J10, J11.
#include "evidence/pages.h"

#include <gmock/gmock.h>

#include "base/fake_clock.h"
#include "evidence/evidence_fixture.h"
#include "journal/fake_repository.h"
#include "store/memory.h"

namespace lifeboat::evidence {
namespace {

using testing::HasSubstr;
using testing::Not;

class Pages : public testing::Test {
 protected:
  FakeClock clock_;
  SeededRandom random_{1};
  store::MemoryStore store_;
  journal::FakeRepository repository_{
      store_, repo::Environment{&clock_, &random_, "host", {}, {}, 1, 1u << 20}};
  const Value document_ = make_document(sample_account(repository_)).value;
};

TEST_F(Pages, J10TextsFromOutsideStayTextInHtml) {
  const std::string page = html_page(document_);
  EXPECT_THAT(page, HasSubstr("&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m \\u202e"));
  for (const char* bad : {"<script", "\x1b", "\xe2\x80\xae", "http://", "https://", "src="}) {
    EXPECT_THAT(page, Not(HasSubstr(bad)));
  }
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page, HasSubstr("@media print"));
}

TEST_F(Pages, J11TextsFromOutsideStayTextInMarkdown) {
  const std::string page = markdown_page(document_);
  for (const char* bad : {"<script", "\x1b", "\xe2\x80\xae", "](javascript"}) {
    EXPECT_THAT(page, Not(HasSubstr(bad)));
  }
  EXPECT_THAT(page, HasSubstr("\\`\\]\\(javascript:x\\) \\|"));
}

TEST_F(Pages, BothTellWhatTheRecordTells) {
  for (const std::string& page : {html_page(document_), markdown_page(document_)}) {
    for (const char* part : {"PARTLY RECOVERED", "12 rows", "10.0.0.0/8", "laptop", "MISSED",
                             "alice", "it took 2 attempts", "other values for host"}) {
      EXPECT_THAT(page, HasSubstr(part));
    }
  }
}

TEST_F(Pages, OnlyARecoveryThatLeftItsPlanNowhereWentAsPlanned) {
  Value document = document_;
  document.set("deviations", Value::List{});
  const auto told = [&](bool recovered) {
    Value report = document_.at("report");
    document.set("report", report.set("recovered", recovered));
    return markdown_page(document);
  };
  EXPECT_THAT(told(true), HasSubstr("None: the run went as planned."));
  EXPECT_THAT(told(false), HasSubstr("None by itself, but the run did not recover."));
}

}  // namespace
}  // namespace lifeboat::evidence
