import { Html } from "./html.ts";

const LIGHT = `
  --page: #f4f6fa; --card: #ffffff; --ink: #152033; --quiet: #5b6b82; --rule: #dfe5ee; --track: #e9eef5;
  --accent: #2563eb; --on-accent: #ffffff; --second: #d9730d; --warn: #fff4e0; --shadow: 0 1px 2px #1520330f;`;

const DARK = `
  --page: #0d131e; --card: #151d2b; --ink: #e6ecf5; --quiet: #95a5bd; --rule: #29354a; --track: #222d40;
  --accent: #6aa5ff; --on-accent: #0b1220; --second: #f0a04b; --warn: #3a2c12; --shadow: none;`;

/** The style sheet: light, dark and paper. Drawings take their colours from it too. */
export const STYLE = new Html(`<style>
:root {${LIGHT}
}
@media (prefers-color-scheme: dark) { :root {${DARK}
} }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 48px; }
header { margin-bottom: 20px; }
header p { margin: 0; color: var(--quiet); overflow-wrap: anywhere; }
header .kind { font-size: 12px; font-weight: 600; letter-spacing: .08em; text-transform: uppercase; color: var(--accent); }
h1 { margin: 2px 0 4px; font-size: 30px; line-height: 1.2; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { margin: 0 0 4px; font-size: 18px; }
h3 { margin: 20px 0 8px; font-size: 15px; }
.lead + h3, .columns > * > h3:first-child { margin-top: 0; }
h4 { margin: 0 0 4px; font-size: 14px; }
h3 small, h4 small { font-weight: 400; }
a { color: var(--accent); }
section { margin-top: 16px; padding: 20px 24px 22px; background: var(--card); border: 1px solid var(--rule); border-radius: 12px; box-shadow: var(--shadow); }
.lead { max-width: 78ch; margin: 0 0 16px; color: var(--quiet); font-size: 14px; }
.note, .warning { margin: 10px 0; color: var(--quiet); font-size: 13px; }
.warning { padding: 8px 12px; background: var(--warn); color: var(--ink); border-radius: 8px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px; }
.tile { padding: 14px; background: var(--card); border: 1px solid var(--rule); border-radius: 12px; box-shadow: var(--shadow); }
.tile p { margin: 0; }
.tile .name { color: var(--quiet); font-size: 13px; }
.tile .figure { font-size: 24px; font-weight: 650; line-height: 1.3; letter-spacing: -.01em; white-space: nowrap; }
.tile .about { color: var(--quiet); font-size: 12px; overflow-wrap: anywhere; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(450px, 100%), 1fr)); gap: 24px 32px; align-items: start; }
.columns > * { min-width: 0; }
.scroll { overflow-x: auto; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(310px, 100%), 1fr)); gap: 18px 36px; margin: 12px 0; }
.panel table { font-size: 13px; }
.panel th, .panel td { padding: 2px 8px 2px 0; border: 0; }
.panel th { width: 100%; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(450px, 100%), 1fr)); gap: 14px 32px; }
.card { min-width: 0; padding-top: 12px; border-top: 1px solid var(--rule); }
.card .why, .card .note { margin: 0 0 4px; overflow-wrap: anywhere; }
.card figure svg { margin: 0; }
.texts { margin: 8px 0; font-size: 13px; }
.texts dt { color: var(--quiet); font-size: 12px; }
.texts dd { margin: 0 0 8px; white-space: pre-wrap; overflow-wrap: anywhere; }
.notes { display: flex; gap: 8px; align-items: baseline; font-size: 13px; }
.notes p { margin: 4px 0; }
details { margin-top: 10px; }
summary { width: fit-content; cursor: pointer; color: var(--accent); font-size: 13px; }
details[open] > summary { margin-bottom: 6px; }
.maps { display: flex; flex-wrap: wrap; gap: 20px 40px; }
.maps > * { max-width: 100%; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { font-weight: inherit; text-align: left; }
thead th { padding: 4px 10px 6px 0; color: var(--quiet); font-size: 12px; vertical-align: bottom; border-bottom: 1px solid var(--rule); }
tbody th, tbody td { padding: 4px 10px 4px 0; border-bottom: 1px solid var(--rule); }
tbody tr:last-child > * { border-bottom: 0; }
.number { text-align: right; white-space: nowrap; }
.quiet, small { color: var(--quiet); }
small { font-size: 12px; }
td.plot svg, th.axis svg { max-width: none; }
thead th.axis { padding-bottom: 0; }
.accuracies { max-width: 640px; }
.accuracies.subsets { max-width: 860px; }
.accuracies.benches { max-width: none; }
tr.model > * { font-weight: 650; }
tr.model small { font-weight: 400; }
.change { display: inline-block; min-width: 34px; }
.differs { padding: 0 4px; background: var(--warn); border-radius: 4px; }
.contributions { max-width: 820px; }
.sides { width: auto; }
.dead { max-width: 760px; }
.nearest > tbody > tr > * { vertical-align: top; }
.nearest div { white-space: nowrap; }
.published { color: var(--quiet); }
.accuracies .quiet { font-weight: 400; font-size: 12px; }
.accuracies .group { padding-top: 14px; color: var(--quiet); font-size: 12px; }
.heat { width: auto; font-size: 13px; }
.heat th { padding-right: 12px; white-space: nowrap; }
.heat thead th { text-align: center; padding: 4px 6px 6px; }
.heat thead th:first-child { text-align: left; padding-left: 0; }
.heat .upright span { writing-mode: vertical-rl; transform: rotate(180deg); }
.heat td { min-width: 76px; padding: 5px 6px; text-align: center; border: 2px solid var(--card); border-radius: 6px; background: color-mix(in srgb, var(--accent) var(--heat), var(--track)); }
.heat .narrow td { min-width: 46px; }
.heat td.hot { color: var(--on-accent); }
.heat tbody th { border: 0; }
.facts th { width: 200px; color: var(--quiet); vertical-align: top; }
.facts td { overflow-wrap: anywhere; }
code { font-size: 12px; color: var(--quiet); }
figure { margin: 0; }
figcaption { color: var(--quiet); font-size: 13px; text-align: center; }
svg { display: block; max-width: 100%; }
figure svg { width: 100%; height: auto; max-width: 620px; margin: 0 auto; }
figure.wide svg { max-width: 700px; margin: 0; }
svg text { fill: var(--quiet); font-size: 12px; }
svg .label, svg .value { fill: var(--ink); font-size: 13px; }
svg path { fill: none; }
.grid { stroke: var(--rule); }
.zero { stroke: var(--quiet); }
.chance { stroke: var(--quiet); stroke-dasharray: 3 3; }
.whisker { stroke: var(--accent); stroke-width: 2.5; stroke-linecap: round; opacity: .55; }
.dot, .bar, circle.after { fill: var(--accent); }
.baseline .whisker { stroke: var(--quiet); }
.baseline .dot, .baseline .bar { fill: var(--quiet); }
.reach { stroke: var(--ink); stroke-width: 1.5; }
.oracle, .majority, .random, .extreme { color: var(--quiet); }
.oracle .line, .majority .line, .random .line, .extreme .line { stroke: currentColor; stroke-width: 1.5; }
.oracle .dot, .majority .dot, .random .dot, .extreme .dot { fill: currentColor; }
.majority .line { stroke-dasharray: 6 4; }
.random .line { stroke-dasharray: 2 4; }
.extreme .line { stroke-dasharray: 6 4; opacity: 0.7; }
.chosen .line { stroke-width: 2.5; }
.chosen text { fill: var(--accent); font-weight: 650; }
.negative, circle.before { fill: var(--second); }
.track { fill: var(--track); }
.count { fill: var(--track); }
.link { stroke: var(--rule); stroke-width: 4; }
.line { stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
.line.batches { stroke: var(--second); stroke-width: 1.5; opacity: .75; }
.key { white-space: nowrap; color: var(--ink); }
.key::before { content: ""; display: inline-block; width: 10px; height: 10px; margin: 0 5px 0 4px; border-radius: 5px; background: var(--accent); }
.key.before::before, .key.batches::before, .key.wrong::before { background: var(--second); }
article { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 8px 32px; padding: 16px 0; border-top: 1px solid var(--rule); }
.prompt { margin: 0 0 8px; font-weight: 650; white-space: pre-wrap; overflow-wrap: anywhere; }
.answers { margin: 0 0 8px; padding: 0; list-style: none; font-size: 14px; }
.answers li { display: grid; grid-template-columns: 20px 70px 1fr; gap: 4px; padding: 3px 0; color: var(--quiet); }
.answers .best { color: var(--ink); }
.answers .best b { color: var(--accent); }
.answers .score { text-align: right; padding-right: 8px; }
.answers .text { white-space: pre-wrap; overflow-wrap: anywhere; }
.why { margin: 0 0 6px; font-size: 14px; }
figure + .why { margin-top: 14px; }
footer { margin-top: 20px; color: var(--quiet); font-size: 12px; }
@media (max-width: 520px) {
  main { padding: 20px 10px 32px; }
  section { padding: 16px 14px 18px; }
  .tiles { grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 8px; }
  .tile { padding: 10px 12px; }
  .tile .figure { font-size: 20px; }
  table { font-size: 13px; }
  .accuracies td.plot svg, .accuracies th.axis svg, .differences td.plot svg, .differences th.axis svg { width: 130px; height: auto; }
}
@media print {
  :root {${LIGHT}
    --page: #ffffff; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main { max-width: none; padding: 0; zoom: .75; }
  section, .tile { box-shadow: none; }
  figure, article, tr, .tiles, .panel, .card { break-inside: avoid; }
  h2, h3, h4, summary { break-after: avoid; }
  details::details-content { content-visibility: visible; height: auto; }
  .lead { break-after: avoid; }
}
</style>`);
