"""The page that :mod:`rave_mm.evaluation.report` fills in: a `string.Template`."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { color-scheme: light dark; --input: #d97706; --result: #2563eb; --line: #8886; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: right; }
th[scope=row] { text-align: left; }
thead th { font-weight: 600; }
abbr { text-decoration: none; }
path.most { stroke: var(--line); }
.warning { color: #b91c1c; font-weight: bold; }
.distributions { display: grid; gap: 1rem; }
.distributions { grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }
figure { margin: 0 0 1.5rem; }
.photo { contain-intrinsic-size: auto 40rem; content-visibility: auto; }
figcaption { font-weight: bold; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; font-size: 11px; }
svg text { fill: currentColor; }
rect.input { fill: var(--input); opacity: .55; } rect.result { fill: var(--result); opacity: .55; }
.key::before { content: ""; display: inline-block; height: .8em; margin-right: .3em; width: .8em; }
.key.input::before { background: var(--input); } .key.result::before { background: var(--result); }
dl { display: grid; gap: 0 1rem; grid-template-columns: max-content 1fr; margin: .3rem 0; }
dt { color: GrayText; }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
@media (max-width: 32rem) {
  th, td { padding: .25rem .3rem; } .scroll { font-size: .85rem; }
  th[scope=row] { overflow-wrap: anywhere; }
}
@media (max-width: 32rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .3rem; } }
$style</style>
</head>
<body>
<h1>$title</h1>
<div class="scroll"><table>
<thead><tr><th scope="col"></th><th scope="col">input</th><th scope="col">result</th>
<th scope="col">gain</th></tr></thead>
<tbody>$figures</tbody>
</table></div>
<p>A gain above 0 is better, whichever way a metric counts: ↑ higher is better, ↓ lower is.</p>
$not_computed
<h2>Distributions</h2>
<p><span class="key input">input</span> &nbsp; <span class="key result">result</span></p>
<div class="distributions">$distributions</div>
<h2>Photos</h2>
<p>$order Move the divider, or use the arrow keys, to see a
photo before and after; its menus also show the ground truth, where there is one. Figures are of
input → result (gain).</p>
$photos
<h2>What it is of</h2>
<dl>$facts</dl>
<script>
$script</script>
</body>
</html>
"""
