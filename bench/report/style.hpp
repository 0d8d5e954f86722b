// SPDX-License-Identifier: BSL-1.0
#pragma once

namespace bench::report_page {

/// How the page looks, in light, in dark and on paper. The colours of marks are those of Okabe and Ito, which
/// who sees few colours can tell apart; each has a shape of its own as well. Texts have a contrast of
/// 4.5 and more with what is behind them, marks of 3.
inline constexpr auto style = R"css(
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --panel: #ffffff; --line: #d5d9e0; --text: #1a1d23; --soft: #545b66;
  --good: #00664a; --good-back: #e0f4ec; --bad: #9c2c00; --bad-back: #fdeadf; --open: #5f4b00; --open-back: #fbf3d0;
  --first: #0072b2; --second: #00805c; --third: #c04f00; --fourth: #a04a80; --quiet: #6d7480;
}
@media (prefers-color-scheme: dark) { :root {
  --page: #111418; --panel: #1a1e24; --line: #363c46; --text: #e8eaee; --soft: #a9b0bc;
  --good: #5fd8ae; --good-back: #12352a; --bad: #ffa27a; --bad-back: #43200f; --open: #f0d565; --open-back: #38300c;
  --first: #56b4e9; --second: #35c295; --third: #f0964a; --fourth: #dd93bd; --quiet: #939ba8;
} }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.2rem; margin: 40px 0 12px; }
h3 { font-size: 1.05rem; margin: 0 0 4px; }
h1, h2, h3, p, figcaption, .banner { overflow-wrap: anywhere; } p { margin: 0 0 8px; } .soft, figcaption { color: var(--soft); }
.banner { border-radius: 12px; padding: 16px 20px; margin: 20px 0 16px; font-size: 1.25rem; font-weight: 650; }
.banner p { font-size: 0.95rem; font-weight: 400; margin: 4px 0 0; }
.met { background: var(--good-back); color: var(--good); } .missed { background: var(--bad-back); color: var(--bad); }
.unknown { background: var(--open-back); color: var(--open); }
.cards { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 240px), 1fr)); }
.card, figure, .panel { background: var(--panel); border: 1px solid var(--line); border-radius: 12px; padding: 16px; margin: 0; min-width: 0; }
.card h3 { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 8px; } .card > p { margin: 0 0 4px; }
.card .big { font-size: 1.9rem; font-weight: 700; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card small { color: var(--soft); font-size: 0.85rem; display: block; overflow-wrap: anywhere; }
.chip { display: inline-block; border-radius: 999px; padding: 1px 10px; font-size: 0.85rem; font-weight: 650; white-space: nowrap; }
.gauge { width: 100%; height: auto; display: block; margin: 8px 0 4px; }
/* As many columns as there is room for, up to two; a plot is whole in one of them. */
.plots { columns: 2 460px; column-gap: 16px; } .plots figure { break-inside: avoid; margin-bottom: 16px; }
figure svg { display: block; width: 100%; max-width: 620px; height: auto; margin: 8px auto 0; overflow: visible; }
figcaption { font-size: 0.9rem; }
svg text { font: 12px system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif; fill: var(--text); }
svg .tick { fill: var(--soft); } svg .group { font-weight: 650; }
svg .value { font-variant-numeric: tabular-nums; font-weight: 600; }
svg .bound-label { fill: var(--bad); font-weight: 600; }
svg path { fill: none; } .grid { stroke: var(--line); stroke-width: 1; }
.bound { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 5 3; } .past { stroke: var(--quiet); stroke-width: 1.5; stroke-dasharray: 1.5 3; }
.whisker, .series { stroke-width: 2; } .whisker { stroke-opacity: 0.75; } .series { stroke-linejoin: round; stroke-opacity: 0.8; }
.whisker.first, .series.first { stroke: var(--first); } .whisker.second, .series.second { stroke: var(--second); }
.whisker.third, .series.third { stroke: var(--third); } .whisker.fourth, .series.fourth { stroke: var(--fourth); }
.whisker.quiet, .series.quiet { stroke: var(--quiet); }
g.first > *, rect.first { fill: var(--first); } g.second > *, rect.second { fill: var(--second); } g.third > *, rect.third { fill: var(--third); }
g.fourth > *, rect.fourth { fill: var(--fourth); } g.quiet > *, rect.quiet { fill: var(--quiet); }
g.hollow > * { fill: var(--panel); stroke: var(--quiet); stroke-width: 2; }
rect.good { fill: var(--good); } rect.bad { fill: var(--bad); } rect.ground { fill: var(--line); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 0.9rem; min-width: 34rem; }
th, td { text-align: left; vertical-align: top; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; } td.path { overflow-wrap: anywhere; }
details { margin-top: 12px; } summary { cursor: pointer; font-weight: 600; padding: 6px 0; }
@media (max-width: 560px) { main { padding: 16px 8px 48px; } .card, figure, .panel { padding: 12px 10px; } th, td { padding-right: 8px; } }
@media print {
  :root { --page: #ffffff; --panel: #ffffff; --line: #d5d9e0; --text: #1a1d23; --soft: #545b66;
    --good: #00664a; --good-back: #e0f4ec; --bad: #9c2c00; --bad-back: #fdeadf; --open: #5f4b00; --open-back: #fbf3d0;
    --first: #0072b2; --second: #00805c; --third: #c04f00; --fourth: #a04a80; --quiet: #6d7480; }
  body { font-size: 11pt; } main { max-width: none; padding: 0; } .card, figure, tr { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

}  // namespace bench::report_page
