/** The style of the page: no script, no request to anywhere, light and dark as the browser asks, from a phone to a wall. */

/** Contrast of every text on its ground is at least 4.5 in both themes (WCAG 2.2, 1.4.3). */
export const STYLE = `
:root{--bg:#f4f5f7;--card:#fff;--text:#1c2430;--dim:#586374;--line:#dfe3e8;--ok:#137a4b;--okbg:#e3f4ea;--warn:#8a5200;--warnbg:#fdf0d5;--bad:#b3261e;--badbg:#fbe6e4;--accent:#2456a6;--empty:#e6e9ee}
@media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1b212a;--text:#e7ebf1;--dim:#9fabba;--line:#2d3642;--ok:#5fd39a;--okbg:#143324;--warn:#f2bd62;--warnbg:#3a2c10;--bad:#ff8f86;--badbg:#431c1a;--accent:#8fb8ff;--empty:#29313c}}
*{box-sizing:border-box}
html{font:16px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;background:var(--bg);color:var(--text);color-scheme:light dark}
body{margin:0 auto;max-width:76rem;padding:1.5rem 1rem 3rem}
a{color:var(--accent)}
h1,h2,h3,p{margin:0}
h2{font-size:1.05rem;margin:2rem 0 .75rem}
h2.title{margin:0}
header p.when,.dim{color:var(--dim);font-size:.875rem}
.answer{display:flex;gap:1rem;align-items:flex-start;background:var(--card);border:1px solid var(--line);border-left:.5rem solid var(--ok);border-radius:.6rem;padding:1.1rem 1.25rem;margin-top:.75rem}
.answer.warning{border-left-color:var(--warn)}.answer.critical{border-left-color:var(--bad)}
.answer h1{font-size:1.4rem;line-height:1.3;font-weight:650;overflow-wrap:anywhere;text-wrap:balance}
.groups{display:grid;gap:1rem;align-items:start;grid-template-columns:repeat(auto-fill,minmax(min(100%,23rem),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.1rem;min-width:0}
.card.warning{border-color:var(--warn)}.card.critical{border-color:var(--bad)}
.card h3,.card .title{font-size:1.05rem;overflow-wrap:anywhere;display:flex;justify-content:space-between;gap:.75rem;align-items:baseline}
.card h3 a,.card .title a{text-decoration:none}.card h3 a:hover,.card h3 a:focus{text-decoration:underline}
.badge{flex:none;font-size:.8rem;font-weight:600;border-radius:1rem;padding:.1rem .6rem;background:var(--okbg);color:var(--ok)}
.badge.warning{background:var(--warnbg);color:var(--warn)}.badge.critical{background:var(--badbg);color:var(--bad)}
ul.reasons{list-style:none;margin:.6rem 0 0;padding:0;font-size:.925rem}
ul.reasons li{border-left:.25rem solid var(--warn);padding:.1rem 0 .1rem .6rem;margin-top:.45rem;overflow-wrap:anywhere}
ul.reasons li.critical{border-left-color:var(--bad)}
ul.reasons b{font-weight:600}ul.reasons span{display:block;color:var(--dim);font-size:.875rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem .9rem;margin:.8rem 0 0;font-size:.925rem}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
.trend,.calendar{max-width:34rem}.trend{display:flex;gap:1rem;margin-top:.9rem}.trend figure{flex:1;min-width:0;margin:0}
figcaption{color:var(--dim);font-size:.8rem;margin-bottom:.2rem}
svg{display:block;width:100%;height:auto;overflow:visible}
.calendar{margin:.9rem 0 0}
.days rect{width:14px;height:14px;rx:3px}.days .g{fill:var(--ok)}.days .b{fill:var(--bad)}.days .n{fill:var(--empty)}.days path{stroke:var(--card);stroke-width:2}
table{border-collapse:collapse;width:100%;font-size:.925rem}
caption{text-align:left;color:var(--dim);font-size:.875rem;padding-bottom:.4rem}
th,td{text-align:left;padding:.45rem .9rem .45rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:600;font-size:.85rem}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;padding-right:1.75rem}
.scroll{overflow-x:auto}
.scroll:focus-visible,a:focus-visible,summary:focus-visible,button:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.bar{height:.6rem;border-radius:.3rem;background:var(--empty);overflow:hidden;margin-top:.35rem}
.bar i{display:block;height:100%;background:var(--accent)}.bar.warning i{background:var(--warn)}.bar.critical i{background:var(--bad)}
pre{background:var(--bg);border:1px solid var(--line);border-radius:.4rem;padding:.7rem;overflow-x:auto;font-size:.85rem;margin:.5rem 0 0;user-select:all}
form{margin:0}.buttons{display:flex;flex-wrap:wrap;gap:.6rem;margin-top:1rem}
button{font:inherit;color:var(--accent);background:var(--card);border:1px solid var(--accent);border-radius:.4rem;padding:.4rem .9rem;cursor:pointer}button:hover{background:var(--bg)}
[role=status]{margin-top:.6rem}
nav{margin:.75rem 0;font-size:.925rem;display:flex;flex-wrap:wrap;gap:.4rem 1rem}
nav [aria-current]{font-weight:650;color:var(--text);text-decoration:none}
footer{margin-top:2.5rem;color:var(--dim);font-size:.85rem}
`
	.trim()
	.replaceAll('\n', '');
