"""The page's look."""

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; color: #1d2429; max-width: 1500px; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 0 0 .6rem; }
p { margin: .3rem 0 .8rem; overflow-wrap: anywhere; }
.small, figcaption, small { color: #5b6770; font-size: .85em; }
.tiles { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0 .3rem; }
.tile { border: 1px solid #d8dee3; border-radius: 6px; padding: .5rem .8rem; min-width: 7.5rem; }
.tile span { display: block; color: #5b6770; font-size: .85em; }
.tile b { display: block; font-size: 1.3em; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; margin: 1rem 0 2rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #e4e9ed; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
th { font-weight: 600; color: #5b6770; }
tr:hover td { background: #f4f7f9; }
a { color: #0b5c8f; text-decoration: none; }
section { border-top: 2px solid #d8dee3; padding: 1.2rem 0; }
.media { display: grid; grid-template-columns: repeat(auto-fill, minmax(440px, 1fr)); gap: .8rem; }
figure { margin: 0; }
figure > * { display: block; }
figure img, figure video { border: 1px solid #e4e9ed; border-radius: 4px; max-width: 100%; height: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: .6rem; margin-top: .8rem; }
svg text { font-size: 10px; fill: #5b6770; }
svg .title { font-size: 12px; fill: #1d2429; font-weight: 600; }
svg polyline { fill: none; stroke: #0b5c8f; stroke-width: 1.6; }
svg .axis { fill: none; stroke: #b6c0c8; }
svg .dot { fill: #0b5c8f; }
svg .worst { fill: #c8412b; }
.problems, .problem { background: #fdf1ee; border-left: 4px solid #c8412b; padding: .5rem .9rem; }
.problems ul { margin: .3rem 0; padding-left: 1.2rem; }
"""
