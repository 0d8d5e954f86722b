// SPDX-License-Identifier: BSL-1.0
#pragma once

// What nearly every test includes and nobody here changes. Each test file still includes what it
// uses.

#include "support/catch.hpp"

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/all_narrow.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>
