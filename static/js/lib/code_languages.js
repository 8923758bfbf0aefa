/**
 * The languages that code can be coloured in, each fetched when first used. The static files
 * storage gives imports their hashed names when they are literal and follow `=>` or `await`.
 */

export const loadHighlighter = () => import('../../vendor/highlightjs-11.12.0/core.min.js');

const LOADERS = {
  bash: () => import('../../vendor/highlightjs-11.12.0/languages/bash.min.js'),
  c: () => import('../../vendor/highlightjs-11.12.0/languages/c.min.js'),
  cpp: () => import('../../vendor/highlightjs-11.12.0/languages/cpp.min.js'),
  csharp: () => import('../../vendor/highlightjs-11.12.0/languages/csharp.min.js'),
  css: () => import('../../vendor/highlightjs-11.12.0/languages/css.min.js'),
  diff: () => import('../../vendor/highlightjs-11.12.0/languages/diff.min.js'),
  dockerfile: () => import('../../vendor/highlightjs-11.12.0/languages/dockerfile.min.js'),
  go: () => import('../../vendor/highlightjs-11.12.0/languages/go.min.js'),
  haskell: () => import('../../vendor/highlightjs-11.12.0/languages/haskell.min.js'),
  ini: () => import('../../vendor/highlightjs-11.12.0/languages/ini.min.js'),
  java: () => import('../../vendor/highlightjs-11.12.0/languages/java.min.js'),
  javascript: () => import('../../vendor/highlightjs-11.12.0/languages/javascript.min.js'),
  json: () => import('../../vendor/highlightjs-11.12.0/languages/json.min.js'),
  kotlin: () => import('../../vendor/highlightjs-11.12.0/languages/kotlin.min.js'),
  latex: () => import('../../vendor/highlightjs-11.12.0/languages/latex.min.js'),
  lua: () => import('../../vendor/highlightjs-11.12.0/languages/lua.min.js'),
  makefile: () => import('../../vendor/highlightjs-11.12.0/languages/makefile.min.js'),
  markdown: () => import('../../vendor/highlightjs-11.12.0/languages/markdown.min.js'),
  php: () => import('../../vendor/highlightjs-11.12.0/languages/php.min.js'),
  powershell: () => import('../../vendor/highlightjs-11.12.0/languages/powershell.min.js'),
  python: () => import('../../vendor/highlightjs-11.12.0/languages/python.min.js'),
  r: () => import('../../vendor/highlightjs-11.12.0/languages/r.min.js'),
  ruby: () => import('../../vendor/highlightjs-11.12.0/languages/ruby.min.js'),
  rust: () => import('../../vendor/highlightjs-11.12.0/languages/rust.min.js'),
  scala: () => import('../../vendor/highlightjs-11.12.0/languages/scala.min.js'),
  sql: () => import('../../vendor/highlightjs-11.12.0/languages/sql.min.js'),
  swift: () => import('../../vendor/highlightjs-11.12.0/languages/swift.min.js'),
  typescript: () => import('../../vendor/highlightjs-11.12.0/languages/typescript.min.js'),
  xml: () => import('../../vendor/highlightjs-11.12.0/languages/xml.min.js'),
  yaml: () => import('../../vendor/highlightjs-11.12.0/languages/yaml.min.js'),
};

const ALIASES = {
  bash: 'sh shell zsh console terminal shellsession',
  c: 'h',
  cpp: 'c++ cc cxx hpp hxx arduino cuda',
  csharp: 'c# cs dotnet',
  diff: 'patch',
  dockerfile: 'docker containerfile',
  go: 'golang',
  haskell: 'hs',
  ini: 'toml cfg conf properties dotenv',
  javascript: 'js jsx mjs cjs node',
  json: 'jsonc json5 jsonl ndjson',
  kotlin: 'kt kts',
  latex: 'tex',
  makefile: 'make mk',
  markdown: 'md',
  powershell: 'ps ps1 pwsh',
  python: 'py python3 py3 pycon ipython jupyter',
  r: 'rscript',
  ruby: 'rb',
  rust: 'rs',
  sql: 'postgresql postgres mysql sqlite plsql tsql',
  typescript: 'ts tsx mts',
  xml: 'html xhtml svg rss vue svelte jinja django htmldjango',
  yaml: 'yml',
};

/** Languages that colour parts of another; without them the result would depend on what a page loaded before. */
const EMBEDDED = {
  dockerfile: ['bash'],
  javascript: ['xml', 'css'],
  markdown: ['xml', 'css', 'javascript'],
  php: ['xml', 'css', 'javascript'],
  typescript: ['xml', 'css', 'javascript'],
  xml: ['css', 'javascript'],
};

/** @type {Map<string, string>} */
const NAMES = new Map(Object.keys(LOADERS).map((name) => [name, name]));
for (const [name, aliases] of Object.entries(ALIASES)) {
  for (const alias of aliases.split(' ')) NAMES.set(alias, name);
}

/**
 * @param {string} label the word after the fence
 * @returns {string | null} the name of a language that can be loaded
 */
export function languageNamed(label) {
  return NAMES.get(label.toLowerCase()) ?? null;
}

/**
 * @param {string} name
 * @returns {Promise<Array<[string, Function]>>} the grammars it needs, by name
 */
export function loadGrammars(name) {
  const needed = [name, ...(EMBEDDED[name] ?? [])];
  return Promise.all(needed.map(async (each) => [each, (await LOADERS[each]()).default]));
}
