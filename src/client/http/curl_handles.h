// client/http/curl_handles.h - libcurl's handles, freed when they go. For clients over libcurl
// only.
//
// Threads: as libcurl's own.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

namespace lifeboat::curl {

struct CloseEasy {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct CloseMulti {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, CloseEasy>;
using Multi = std::unique_ptr<CURLM, CloseMulti>;
using List = std::unique_ptr<curl_slist, FreeList>;

// Puts a copy of `line` at the end.
inline void append(List& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer != list.get()) list.reset(longer);  // the head stays, apart from the first time
}

}  // namespace lifeboat::curl
