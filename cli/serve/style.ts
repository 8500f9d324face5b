// The style of the pages: light and dark as the system is, columns on wide screens, size and date below the name on phones.

import { LETTERS, mask } from "./icons.js";

/** A colour for each kind, on light and on dark. */
const COLOURS: { readonly [letter: string]: readonly [light: string, dark: string] } = {
  i: ["#1a7f5a", "#5cc79b"],
  v: ["#8a3ffc", "#b794f6"],
  m: ["#c2255c", "#f48fb1"],
  z: ["#9a5b00", "#d9a760"],
  t: ["#3b6fb6", "#8ab4f8"],
  c: ["#4b5a6b", "#a9b6c4"],
};

const colours = (i: 0 | 1) => LETTERS.map((letter) => `--${letter}:${COLOURS[letter]?.[i]}`).join(";");
const icons = LETTERS.map(
  (letter) => `td.${letter} a::before{background:var(--${letter});mask-image:${mask(letter)}}`,
).join("\n");

export const STYLE = `
:root{color-scheme:light dark;--back:#fff;--ink:#1b1f24;--soft:#59636e;--line:#e4e8ec;--edge:#868f99;--hover:#f3f6fa;--link:#0b57d0;--folder:#b7791f;${colours(0)}}
@media (prefers-color-scheme:dark){:root{--back:#15181c;--ink:#e6e9ed;--soft:#9da7b3;--line:#2a3038;--edge:#6b7682;--hover:#1e242b;--link:#8ab4f8;--folder:#e3b457;${colours(1)}}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:64rem;padding:1.5rem clamp(.5rem,3vw,2rem) 4rem;background:var(--back);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
a{color:var(--link);text-decoration:none}
a:hover{text-decoration:underline}
a:focus-visible,input:focus-visible,button:focus-visible{outline:2px solid var(--link);outline-offset:-2px;border-radius:.5rem}
nav ol{display:flex;flex-wrap:wrap;margin:0;padding:0;list-style:none;font-size:.875rem}
nav li{display:flex;align-items:center;min-width:0;overflow-wrap:anywhere}
nav li::after{content:"/";color:var(--soft)}
nav a,p a,.b a{display:inline-flex;align-items:center;min-height:2.75rem;padding:0 .75rem}
h1{margin:.25rem .75rem .75rem;font-size:1.625rem;line-height:1.25;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
.b{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1rem;margin:0 .75rem 1rem}
.b form{display:flex;flex:1 1 14rem;max-width:24rem}
.b a{gap:.5rem;margin-left:auto;padding:0}
input{flex:1;min-width:0;height:2.75rem;padding:0 2.75rem 0 .875rem;border:1px solid var(--edge);border-radius:.5rem;background:var(--back);color:inherit;font:inherit}
input::placeholder{color:var(--soft);opacity:1}
button{width:2.75rem;height:2.75rem;margin-left:-2.75rem;padding:0;border:0;background:none;color:var(--soft)}
button:hover{color:var(--ink)}
button::before,.b a::before,td.n a::before{content:"";flex:none;display:block;width:1.25rem;height:1.25rem;background:currentColor;mask:${mask("find")} center/contain no-repeat}
button::before{margin:auto}
.b a::before{mask-image:${mask("save")}}
table{width:100%;border-collapse:collapse}
caption{padding:0 .75rem .5rem;color:var(--soft);font-size:.875rem;text-align:left;caption-side:top}
caption a{display:inline-flex;align-items:center;min-height:2.75rem;text-decoration:underline}
[role=status]{margin:0;padding:0 .75rem .5rem;font-size:.875rem;color:var(--soft)}
[role=status]:empty{padding:0}
[role=status]:not(:empty)+table caption{display:none}
th{padding:0;border-bottom:1px solid var(--edge);text-align:left;font-size:.875rem;font-weight:600}
th a{display:block;min-height:2.75rem;padding:.7rem .75rem;color:var(--soft);white-space:nowrap}
th[aria-sort] a{color:var(--ink)}
td{padding:0 .75rem;border-bottom:1px solid var(--line);color:var(--soft);font-size:.875rem;font-variant-numeric:tabular-nums;white-space:nowrap}
td.n,th:first-child{width:100%;max-width:0}
td.n{padding:0;font-size:1rem}
td.n a{display:flex;align-items:center;gap:.75rem;min-height:2.5rem;padding:.45rem .75rem;color:var(--ink)}
td.n a::before{background:var(--soft);mask-image:${mask("file")}}
td.d a::before{background:var(--folder);mask-image:${mask("folder")}}
td.u a::before{mask-image:${mask("up")}}
${icons}
bdi{display:flex;min-width:0;white-space:pre-wrap;overflow-wrap:anywhere}
h1 bdi,nav bdi,[role=status] bdi,caption bdi{display:inline}
bdi span{flex:none;white-space:pre}
bdi span:first-child{flex:0 1 auto;overflow:hidden;text-overflow:ellipsis}
.s,.s a{text-align:right}
tbody tr:hover{background:var(--hover)}
tr[hidden]{display:none}
p{margin:1rem .75rem;color:var(--soft)}
p a{padding:0}
.p{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:center}
@media (max-width:40rem){
body{padding-top:.75rem}
h1{font-size:1.375rem}
table,thead,tbody,caption{display:block}
thead tr{display:flex;border-bottom:1px solid var(--edge)}
th,th:first-child{width:auto;max-width:none;border:0}
tbody tr{display:grid;grid-template-columns:auto 1fr;border-bottom:1px solid var(--line)}
td{padding:0;border:0;font-size:.8125rem}
.b a{margin:0}
.p{font-size:.875rem;gap:.5rem 1rem}
td.n{grid-area:1/1/3/3;width:auto;max-width:none;min-width:0}
td.n a{min-height:3.5rem;padding-bottom:1.9rem}
td.u a{min-height:2.75rem;padding-bottom:.5rem}
td.s{grid-area:2/1;align-self:end;padding-bottom:.5rem;pointer-events:none;text-align:left}
td.n+td.s{padding-left:2.75rem}
td.s+td.s{grid-column:2}
td.s:not(:empty)+td.s::before{content:"\\b7";margin:0 .5rem}
}
@media (forced-colors:active){button::before,.b a::before,td.n a::before{forced-color-adjust:none;background:LinkText}}
`;
