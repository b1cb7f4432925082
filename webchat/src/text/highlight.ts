// Colours for code, as a tree of spans. Loaded when the first code is shown.
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import go from 'highlight.js/lib/languages/go';
import ini from 'highlight.js/lib/languages/ini';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import lua from 'highlight.js/lib/languages/lua';
import makefile from 'highlight.js/lib/languages/makefile';
import perl from 'highlight.js/lib/languages/perl';
import python from 'highlight.js/lib/languages/python';
import ruby from 'highlight.js/lib/languages/ruby';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';
import { createLowlight } from 'lowlight';

const known = createLowlight({
	bash, c, cpp, css, diff, go, ini, java, javascript, json, lua, makefile, perl, python, ruby, rust, sql, typescript, xml, yaml,
});

export interface Span { type: string; value?: string; properties?: { className?: string[] }; children?: Span[] }

export function highlight(text: string, lang: string): Span[] | null {
	if (!known.registered(lang) || text.length > 100000) return null;
	return known.highlight(lang, text).children as Span[];
}
