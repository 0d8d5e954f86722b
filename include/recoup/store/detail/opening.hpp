// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <recoup/core/time.hpp>
#include <recoup/store/detail/running.hpp>

#include <memory>

namespace recoup::inline v1::detail {

/// What follows a step of opening a record.
struct opening {
    enum {
        go,        ///< make an attempt
        failed,    ///< end with the trouble
        replayed,  ///< end with the result of the record
        shared,    ///< end with the result of `other`
        join,      ///< wait for `other`, then tell `joined`
        wait,      ///< for `delay`, then tell `waited`
        again,     ///< the record has changed since
        claimed,   ///< look once more, for nobody else in this process can change it now
    } next = go;
    std::shared_ptr<running_operation> other{};
    duration delay{};
};

}  // namespace recoup::inline v1::detail
