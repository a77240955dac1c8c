#include <curl/curl.h>

// Swift cannot call variadic functions: one of these for each type of argument.
static inline CURLcode dsv_curl_set_long(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode dsv_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode dsv_curl_set_pointer(CURL *handle, CURLoption option, const void *value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode dsv_curl_get_long(CURL *handle, CURLINFO info, long *value) {
  return curl_easy_getinfo(handle, info, value);
}

// What an answer is given to, piece by piece; all three get `context`.
static inline CURLcode dsv_curl_set_receiver(CURL *handle, void *context,
                                             size_t (*header)(char *, size_t, size_t, void *),
                                             size_t (*body)(char *, size_t, size_t, void *),
                                             int (*progress)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t)) {
  CURLcode code = curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, header);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_HEADERDATA, context);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, body);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, progress);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_XFERINFODATA, context);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  return code;
}

// A macro.
static inline CURLcode dsv_curl_start(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }
