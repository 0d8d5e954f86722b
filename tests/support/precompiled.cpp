// SPDX-License-Identifier: BSL-1.0
// Nothing: a home for what is precompiled.
