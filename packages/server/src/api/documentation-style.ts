/** The look of the documentation page. */
export const DOCUMENTATION_STYLE = `
:root{color-scheme:light dark;--ink:#1c2430;--soft:#566273;--paper:#fff;--edge:#d8dee6;--tint:#f3f6f9;--link:#0b57b0}
@media (prefers-color-scheme:dark){:root{--ink:#e3e8ee;--soft:#9aa7b6;--paper:#12161c;--edge:#2c3540;--tint:#1a2029;--link:#7db4ff}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:1rem}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);display:grid;grid-template-columns:19rem minmax(0,1fr)}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1rem;border-right:1px solid var(--edge);font-size:.85rem}
nav ul{list-style:none;margin:0;padding:0}nav ul ul{padding-left:.8rem}nav li{padding:.12rem 0}nav>ul>li{padding-top:.6rem}nav>ul>li>a{font-weight:600}
main{padding:1.5rem clamp(1rem,4vw,3rem);max-width:62rem}
a{color:var(--link);text-decoration:none}a:hover,a:focus-visible{text-decoration:underline}
h1{margin-top:0}h2{margin:2.5rem 0 .5rem;padding-bottom:.3rem;border-bottom:1px solid var(--edge)}h3{margin:0 0 .4rem}h4{margin:1rem 0 .3rem;font-size:.9rem;color:var(--soft)}
article{margin:1.2rem 0;padding:1rem 1.2rem;border:1px solid var(--edge);border-radius:.6rem}
article p{margin:.35rem 0}
code{font:.88em ui-monospace,monospace;background:var(--tint);padding:.08em .3em;border-radius:.25em;overflow-wrap:anywhere}
.call code{font-size:.95em}.note{color:var(--soft);font-size:.85rem;font-weight:400}
.method{display:inline-block;min-width:4.2rem;text-align:center;font:600 .78rem/1.7 ui-monospace,monospace;border:1px solid currentColor;border-radius:.3rem}
.get{color:#0b6bcb}.post{color:#1d7a3e}.put,.patch{color:#9a5b00}.delete{color:#b3261e}
@media (prefers-color-scheme:dark){.get{color:#7db4ff}.post{color:#6fd08c}.put,.patch{color:#f0b45a}.delete{color:#ff8a80}}
.table{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-top:1px solid var(--edge)}th{width:14rem}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem;z-index:1}
@media (max-width:56rem){body{display:block}nav{position:static;height:auto;max-height:45vh;border-right:0;border-bottom:1px solid var(--edge)}th{width:40%}}
`;
