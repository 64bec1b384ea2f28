import { createHash } from 'node:crypto'

/** Style sheet of the page at /docs. */
export const DOCS_STYLE = `
:root{color-scheme:light dark;--line:#d5dbe1;--soft:#f4f6f8;--ink:#1c2430;--dim:#5a6675;
--page:#fff;--link:#0b62a8}
@media(prefers-color-scheme:dark){:root{--line:#33404f;--soft:#1b232d;--ink:#e3e9f0;--dim:#98a6b5;
--page:#12181f;--link:#7cc0ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,sans-serif;
display:grid;grid-template-columns:17rem minmax(0,1fr)}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1.5rem 1rem;
border-right:1px solid var(--line);font-size:.875rem}
nav h2{font-size:.75rem;text-transform:uppercase;letter-spacing:.06em;color:var(--dim);
margin:1.2rem 0 .3rem}
nav a{display:block;padding:.12rem 0;text-decoration:none}
main{max-width:58rem;padding:2rem 2.5rem 6rem}
h1{margin:0 0 .5rem;font-size:2rem}
h2{margin:3rem 0 .5rem;padding-bottom:.3rem;border-bottom:2px solid var(--line)}
h3{margin:2.5rem 0 .2rem;font-size:1.15rem}
h4{margin:1.1rem 0 .3rem;font-size:.8rem;text-transform:uppercase;letter-spacing:.05em;
color:var(--dim)}
a{color:var(--link)}
code,pre{font:.875em/1.5 ui-monospace,SFMono-Regular,Menlo,monospace}
code{background:var(--soft);padding:.08em .3em;border-radius:4px}
pre{background:var(--soft);border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;
overflow:auto;margin:.4rem 0}
pre code{padding:0;background:none}
table{border-collapse:collapse;width:100%;font-size:.92rem}
td,th{border-bottom:1px solid var(--line);padding:.4rem .6rem .4rem 0;text-align:left;
vertical-align:top}
.route{font:600 .95rem ui-monospace,Menlo,monospace;overflow-wrap:anywhere}
.method{display:inline-block;min-width:4.2em;text-align:center;margin-right:.6em;padding:.1em .5em;
border-radius:5px;color:#fff;background:#1b7f4b}
.post{background:#0b62a8}.delete{background:#b3261e}
.dim{color:var(--dim)}
@media(max-width:50rem){body{display:block}nav{position:static;height:auto;border:0}main{
padding:1rem}}
`

/** Hash for the Content-Security-Policy, which allows only this style. */
export const DOCS_STYLE_HASH = createHash('sha256').update(DOCS_STYLE).digest('base64')
