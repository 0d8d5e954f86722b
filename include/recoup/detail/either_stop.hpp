// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <stop_token>

namespace recoup::inline v1::detail {

/// Triggers a token of its own when one of two is triggered.
class either_stop {
  public:
    either_stop(std::stop_token const& one, std::stop_token const& other)
        : first_{one, request{&source_}}, second_{other, request{&source_}} {}
    either_stop(either_stop const&) = delete;
    either_stop& operator=(either_stop const&) = delete;
    [[nodiscard]] std::stop_token token() const noexcept { return source_.get_token(); }

  private:
    struct request {
        std::stop_source* source;
        void operator()() const noexcept { source->request_stop(); }
    };
    std::stop_source source_;
    std::stop_callback<request> first_;
    std::stop_callback<request> second_;
};

}  // namespace recoup::inline v1::detail
