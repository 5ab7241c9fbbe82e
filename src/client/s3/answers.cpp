#include "client/s3/answers.h"

#include <pugixml.hpp>
#include <sstream>

namespace lifeboat::s3 {
namespace {

bool parse(pugi::xml_document& document, std::string_view body) {
  return static_cast<bool>(document.load_buffer(body.data(), body.size()));
}

// Keys that hold what XML cannot are told encoded (encoding-type=url), as in a query.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digits = text.substr(i + 1, 2);
    if (text[i] == '%' && digits.size() == 2 &&
        std::isxdigit(static_cast<unsigned char>(digits[0])) &&
        std::isxdigit(static_cast<unsigned char>(digits[1]))) {
      out += static_cast<char>(std::stoi(std::string(digits), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

tl::unexpected<Error> not_an(const char* what) {
  return fail(Error::Kind::invalid, std::string("the answer is no ") + what + " of S3",
              "is this the endpoint of an S3 service?");
}

}  // namespace

std::optional<Refusal> read_refusal(std::string_view body) {
  pugi::xml_document document;
  if (!parse(document, body)) return std::nullopt;
  const pugi::xml_node error = document.select_node("//Error").node();
  if (!error) return std::nullopt;
  return Refusal{error.child_value("Code"), error.child_value("Message"),
                 error.child_value("Region")};
}

Result<Page> read_page(std::string_view body) {
  pugi::xml_document document;
  const pugi::xml_node list =
      parse(document, body) ? document.child("ListBucketResult") : pugi::xml_node();
  if (!list) return not_an("ListBucketResult");
  const bool encoded = std::string_view(list.child_value("EncodingType")) == "url";
  Page page;
  for (const pugi::xml_node each : list.children("Contents")) {
    const char* key = each.child_value("Key");
    page.keys.push_back(encoded ? decoded(key) : key);
  }
  if (std::string_view(list.child_value("IsTruncated")) == "true") {
    page.next = list.child_value("NextContinuationToken");
    if (page.next.empty()) return not_an("page with a NextContinuationToken");
  }
  return page;
}

Result<std::string> read_upload_id(std::string_view body) {
  pugi::xml_document document;
  if (!parse(document, body)) return not_an("InitiateMultipartUploadResult");
  const std::string id = document.select_node("//UploadId").node().child_value();
  if (id.empty()) return not_an("InitiateMultipartUploadResult");
  return id;
}

bool tells_completion(std::string_view body) {
  pugi::xml_document document;
  return parse(document, body) && document.child("CompleteMultipartUploadResult");
}

std::string complete_body(const std::vector<Part>& parts) {
  pugi::xml_document document;
  pugi::xml_node all = document.append_child("CompleteMultipartUpload");
  for (const Part& part : parts) {
    pugi::xml_node node = all.append_child("Part");
    const auto add = [&](const char* name, const std::string& text) {
      node.append_child(name).append_child(pugi::node_pcdata).set_value(text.c_str());
    };
    add("PartNumber", std::to_string(part.number));
    add("ETag", part.tag);
    add("ChecksumSHA256", part.checksum);
  }
  std::ostringstream text;
  document.save(text, "", pugi::format_raw | pugi::format_no_declaration);
  return text.str();
}

}  // namespace lifeboat::s3
