// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <string>

#include <prometheus/collectable.h>

namespace prometheus_test {

/// What a scrape over HTTP gives: a real exposer on the loopback serves `shown`, and is asked once.
///
/// Throws: std::runtime_error where it does not answer with 200 and text.
std::string scrape(std::shared_ptr<prometheus::Collectable> const& shown);

}  // namespace prometheus_test
