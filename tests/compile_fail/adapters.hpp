// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the cases include that are about coroutines or durable operations.

#include <recoup/async/asio.hpp>
#include <recoup/durable.hpp>
#include <recoup/recoup.hpp>
#include <recoup/store/memory_store.hpp>

#include <boost/asio/awaitable.hpp>
