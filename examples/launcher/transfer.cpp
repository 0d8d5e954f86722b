// SPDX-License-Identifier: BSL-1.0
#include "launcher/transfer.hpp"

#include "launcher/content_range.hpp"
#include "launcher/failures.hpp"

#include <algorithm>
#include <cctype>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>

#include <curl/curl.h>
#include <recoup/classify/curl.hpp>
#include <recoup/classify/http.hpp>

namespace launcher {

namespace {

using std::chrono::steady_clock;

constexpr long redirects_max = 5;
constexpr long receive_buffer_bytes = 128L * 1024;
constexpr std::size_t header_bytes_max = 4096;  // longer values are of no use here
constexpr int poll_ms = 100;                    // how soon a stop or a stall is noticed

void start_curl() {
    static CURLcode const started = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (started != CURLE_OK) throw problem(errc::unexpected, "libcurl does not start");
}

template <auto Free>
struct freed_by {
    template <class Handle>
    void operator()(Handle* handle) const noexcept {
        Free(handle);
    }
};
using easy_handle = std::unique_ptr<CURL, freed_by<curl_easy_cleanup>>;
using multi_handle = std::unique_ptr<CURLM, freed_by<curl_multi_cleanup>>;
using header_list = std::unique_ptr<curl_slist, freed_by<curl_slist_free_all>>;
using url_handle = std::unique_ptr<CURLU, freed_by<curl_url_cleanup>>;

bool same_name(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
        return std::tolower(x) == std::tolower(y);
    });
}

std::string_view trimmed(std::string_view text) noexcept {
    constexpr std::string_view blanks = " \t\r\n";
    auto const first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// The headers that matter, of the last answer in a chain of redirects.
struct answer_headers {
    std::string etag{};
    std::string content_range{};

    void take(std::string_view line) {
        if (line.starts_with("HTTP/")) *this = {};  // the next answer begins
        auto const colon = line.find(':');
        if (colon == std::string_view::npos || line.size() > header_bytes_max) return;
        std::string_view const name = line.substr(0, colon);
        if (same_name(name, "etag")) etag = trimmed(line.substr(colon + 1));
        if (same_name(name, "content-range")) content_range = trimmed(line.substr(colon + 1));
    }

    /// The entity tag where If-Range may use it: RFC 9110 section 13.1.5 wants a strong one.
    [[nodiscard]] std::string strong_etag() const {
        return etag.starts_with('"') ? etag : std::string{};
    }
};

/// One request and its answer.
class exchange {
  public:
    exchange(transfer_request const& request, byte_sink& sink) : request_(request), sink_(sink) {
        easy_.reset(curl_easy_init());
        multi_.reset(curl_multi_init());
        if (!easy_ || !multi_) throw problem(errc::unexpected, "libcurl is out of memory");
        set_up();
    }
    exchange(exchange const&) = delete;
    exchange& operator=(exchange const&) = delete;
    ~exchange() { curl_multi_remove_handle(multi_.get(), easy_.get()); }

    recoup::result<void> run(std::stop_token const& stop) {
        curl_multi_add_handle(multi_.get(), easy_.get());
        std::stop_callback const wake{stop, [this] { curl_multi_wakeup(multi_.get()); }};
        heard_ = steady_clock::now();
        for (int running = 1; running > 0;) {
            if (curl_multi_perform(multi_.get(), &running) != CURLM_OK)
                return fail(errc::unexpected, "libcurl failed");
            if (running == 0) break;
            if (stop.stop_requested()) return fail(errc::interrupted, "stopped by the user");
            if (steady_clock::now() - heard_ > request_.stall_timeout) return stalled();
            curl_multi_poll(multi_.get(), nullptr, 0, poll_ms, nullptr);
        }
        return verdict();
    }

  private:
    template <class Value>
    void set(CURLoption option, Value value) {
        if (curl_easy_setopt(easy_.get(), option, value) != CURLE_OK)
            throw problem(errc::unexpected, "libcurl refuses an option");
    }

    void set_up() {
        set(CURLOPT_URL, request_.url.c_str());
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_USERAGENT, "recoup-launcher/1");
        set(CURLOPT_FOLLOWLOCATION, 1L);
        set(CURLOPT_MAXREDIRS, redirects_max);
#if LIBCURL_VERSION_NUM >= 0x075500
        set(CURLOPT_PROTOCOLS_STR, "http,https");
        set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
        set(CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
        set(CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
        set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.connect_timeout.count()));
        set(CURLOPT_BUFFERSIZE, receive_buffer_bytes);
        set(CURLOPT_HEADERFUNCTION, &exchange::on_header);
        set(CURLOPT_HEADERDATA, this);
        set(CURLOPT_WRITEFUNCTION, &exchange::on_body);
        set(CURLOPT_WRITEDATA, this);
        // A range is asked for even from 0, so that Content-Range tells the size before the body.
        headers_.reset(curl_slist_append(
            nullptr, ("Range: bytes=" + std::to_string(request_.from) + "-").c_str()));
        if (!request_.etag.empty() && request_.from > 0)
            curl_slist_append(headers_.get(), ("If-Range: " + request_.etag).c_str());
        set(CURLOPT_HTTPHEADER, headers_.get());
    }

    // libcurl is C: nothing may be thrown through it.
    static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) noexcept {
        try {
            auto& it = *static_cast<exchange*>(self);
            it.heard_ = steady_clock::now();
            it.answer_.take({data, size});
            return size;
        } catch (...) {
            return 0;
        }
    }
    static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) noexcept {
        auto& it = *static_cast<exchange*>(self);
        try {
            auto taken = it.take_body(std::as_bytes(std::span{data, size}));
            it.heard_ = steady_clock::now();
            if (taken) return size;
            it.failure_ = taken.error();
        } catch (...) {
            it.thrown_ = std::current_exception();
        }
        return size + 1;  // any other number than `size` ends the transfer
    }

    recoup::result<void> take_body(std::span<std::byte const> bytes) {
        long const code = status();
        if (code < 200 || code > 299) return recoup::success();  // a page for people
        if (!begun_) {
            if (auto fits = check_answer(code); !fits) return fits;
            if (auto ready = sink_.begin(next_, answer_.strong_etag()); !ready) return ready;
            begun_ = true;
        }
        if (bytes.size() > request_.size - next_)
            return fail(errc::wrong_size, from_mirror() + "sends more than the " +
                                              std::to_string(request_.size) + " bytes expected");
        if (auto written = sink_.write(bytes); !written) return written;
        next_ += bytes.size();
        return recoup::success();
    }

    /// Whether the answer is for what was asked; sets `next_` to the offset of its first byte.
    recoup::result<void> check_answer(long code) {
        if (code == 206) return check_range();
        curl_off_t length = -1;
        curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        if (code != 200) return fail_http(code);
        if (length >= 0 && static_cast<std::uint64_t>(length) != request_.size)
            return wrong_size(static_cast<std::uint64_t>(length));
        next_ = 0;
        return recoup::success();
    }

    recoup::result<void> check_range() {
        auto const range = parse_content_range(answer_.content_range);
        if (range && range->total && *range->total != request_.size)
            return wrong_size(*range->total);
        if (!range || range->first != request_.from || range->last != request_.size - 1)
            return fail(errc::wrong_range, from_mirror() + "sends '" +
                                               printable(answer_.content_range) +
                                               "' where bytes from " +
                                               std::to_string(request_.from) + " were asked for");
        next_ = request_.from;
        return recoup::success();
    }

    recoup::result<void> verdict() {
        if (thrown_) std::rethrow_exception(thrown_);
        if (failure_) return *failure_;
        int left = 0;
        CURLMsg const* const message = curl_multi_info_read(multi_.get(), &left);
        CURLcode const code = message == nullptr ? CURLE_RECV_ERROR : message->data.result;
        if (code == CURLE_TOO_MANY_REDIRECTS)
            return fail(errc::redirect_loop, from_mirror() + "redirects more than " +
                                                 std::to_string(redirects_max) + " times");
        if (code != CURLE_OK) return fail_curl(code);
        if (long const status_code = status(); status_code < 200 || status_code > 299)
            return fail_http(status_code);
        // An empty body never reached take_body; without a length, the end may come too early.
        if (!begun_ || next_ < request_.size) return fail_curl(CURLE_PARTIAL_FILE);
        return recoup::success();
    }

    [[nodiscard]] recoup::failure stalled() const {
        return described(recoup::curl_error(CURLE_OPERATION_TIMEDOUT),
                         from_mirror() + "has been silent for " +
                             std::to_string(request_.stall_timeout.count()) + " ms");
    }

    [[nodiscard]] recoup::failure fail_curl(CURLcode code) const {
        auto const error = recoup::curl_error(static_cast<int>(code));
        return described(error, from_mirror() + "failed: " + error.message());
    }

    [[nodiscard]] recoup::failure fail_http(long status) const {
        if (status == 416) return wrong_size(std::nullopt);
        auto const error = recoup::http_error(static_cast<int>(status));
        recoup::failure failed = described(error, from_mirror() + "answers " + error.message());
        curl_off_t seconds = 0;
        curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &seconds);
        if (seconds > 0) failed.retry_after(std::chrono::seconds{seconds});
        return failed;
    }

    [[nodiscard]] recoup::failure wrong_size(std::optional<std::uint64_t> size) const {
        std::string const said =
            size ? std::to_string(*size) : "at most " + std::to_string(request_.from);
        return fail(errc::wrong_size, from_mirror() + "has a file of " + said +
                                          " bytes where the index says " +
                                          std::to_string(request_.size));
    }

    [[nodiscard]] long status() const noexcept {
        long code = 0;
        curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &code);
        return code;
    }
    [[nodiscard]] std::string from_mirror() const { return host_of(request_.url) + " "; }

    transfer_request const& request_;
    byte_sink& sink_;
    header_list headers_;
    easy_handle easy_;
    multi_handle multi_;
    answer_headers answer_;
    std::uint64_t next_ = 0;  ///< offset of the byte that comes next
    bool begun_ = false;      ///< the answer was checked and its body has begun
    std::optional<recoup::failure> failure_;
    std::exception_ptr thrown_;
    steady_clock::time_point heard_;
};

}  // namespace

recoup::result<void> transfer(transfer_request const& request, byte_sink& sink,
                              std::stop_token const& stop) {
    start_curl();
    return exchange{request, sink}.run(stop);
}

std::string host_of(std::string const& url) {
    url_handle const parsed{curl_url()};
    if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
        return {};
    auto const part = [&](CURLUPart which) {
        char* text = nullptr;
        if (curl_url_get(parsed.get(), which, &text, CURLU_DEFAULT_PORT) != CURLUE_OK)
            return std::string{};
        std::string copy{text};
        curl_free(text);
        return copy;
    };
    return part(CURLUPART_HOST) + ":" + part(CURLUPART_PORT);
}

}  // namespace launcher
