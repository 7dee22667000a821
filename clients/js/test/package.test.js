/** What the package has in it, how large it is, and that it can be used as it is published. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import esbuild from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const run = (program, flags, cwd) => {
  try {
    return execFileSync(program, flags, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch ({ stdout, stderr }) {
    throw new Error(`${program} ${flags.join(" ")}:\n${stdout}${stderr}`);
  }
};
const tsc = (flags, cwd) => run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), ...flags], cwd);

function temporary(t) {
  const directory = mkdtempSync(join(tmpdir(), "livecounter-package-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A project that has the package as npm would publish it. */
function project(t) {
  const directory = temporary(t);
  const modules = join(directory, "node_modules");
  mkdirSync(modules);
  const [{ filename }] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", directory], root));
  run("tar", ["-xzf", filename, "-C", "node_modules"], directory);
  cpSync(join(modules, "package"), join(modules, manifest.name), { recursive: true });
  for (const name of ["@types", "react", "svelte", "vue"]) symlinkSync(join(root, "node_modules", name), join(modules, name));
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  return directory;
}

test("exactly these files are published", () => {
  const [{ files }] = JSON.parse(run("npm", ["pack", "--dry-run", "--json"], root));
  const sources = readdirSync(root).filter((name) => name.endsWith(".js"));
  const types = sources.map((name) => `types/${name.replace(/js$/, "d.ts")}`);
  const expected = ["LICENSE", "README.md", "package.json", ...sources, ...types];
  assert.deepEqual(files.map(({ path }) => path).sort(), expected.sort());
});

test("the package depends on nothing, and every export has types", () => {
  assert.equal(manifest.dependencies, undefined);
  for (const name of Object.keys(manifest.peerDependencies)) assert.ok(manifest.peerDependenciesMeta[name].optional, name);
  for (const [name, paths] of Object.entries(manifest.exports)) {
    if (name !== "./package.json") assert.deepEqual(Object.keys(paths), ["types", "default"], name);
  }
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");
  assert.equal(lock.includes('"resolved"'), false, "the lock file names the host of a registry");
  assert.equal(JSON.parse(lock).version, manifest.version);
  assert.equal(readFileSync(join(root, "LICENSE"), "utf8").includes("Apache License"), true);
});

test("the types are those of the sources: npm run types", (t) => {
  const directory = temporary(t);
  tsc(["-p", ".", "--outDir", directory], root);
  const texts = (directory) => Object.fromEntries(readdirSync(directory).sort().map((name) => [name, readFileSync(join(directory, name), "utf8")]));
  assert.deepEqual(texts(join(root, "types")), texts(directory));
});

test("the compiler checks the insides of all sources strictly", () => {
  const { compilerOptions } = JSON.parse(tsc(["-p", ".", "--showConfig"], root));
  assert.deepEqual([compilerOptions.strict, compilerOptions.checkJs, compilerOptions.noUncheckedIndexedAccess], [true, true, true]);
  const checked = tsc(["-p", ".", "--listFilesOnly"], root).split("\n");
  for (const name of readdirSync(root).filter((name) => name.endsWith(".js"))) {
    assert.ok(checked.some((path) => path.endsWith(`/${name}`)), name);
    assert.doesNotMatch(readFileSync(join(root, name), "utf8"), /@ts-(nocheck|ignore)/, name);
  }
});

test("a program in TypeScript compiles with the published package", (t) => {
  const directory = project(t);
  for (const name of readdirSync(join(root, "test/consumer"))) cpSync(join(root, "test/consumer", name), join(directory, name));
  const flags = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--skipLibCheck", "false", "--types", ""];
  const programs = readdirSync(directory).filter((name) => /\.tsx?$/.test(name));
  for (const module of [["--module", "nodenext"], ["--module", "esnext", "--moduleResolution", "bundler"]]) {
    tsc([...flags, ...module, "--jsx", "react-jsx", ...programs], directory);
  }
});

test("every export of the published package can be loaded by Node.js", (t) => {
  const directory = project(t);
  const names = Object.keys(manifest.exports).filter((name) => name !== "./package.json");
  const script = names.map((name) => `console.log(Object.keys(await import("${name.replace(".", manifest.name)}")).join());`).join("\n");
  const printed = run(process.execPath, ["--input-type=module", "-e", script], directory).trim().split("\n");
  assert.deepEqual(Object.fromEntries(names.map((name, at) => [name, printed[at]])), EXPORTS);
});

const EXPORTS = {
  ".": "CounterError,add,get,watch",
  "./element": "add,subscribe",
  "./react": "useCounter",
  "./svelte": "counter",
  "./vue": "useCounter",
};

/** In bytes, as a bundler puts it into a page and a server compresses it, without the framework. */
const BUDGET = {
  ".": 3600,
  "./element": 3200,
  "./react": 3500,
  "./svelte": 3500,
  "./vue": 3500,
};

for (const [name, budget] of Object.entries(BUDGET)) {
  test(`${name} takes ${budget} bytes of a page at most`, async (t) => {
    const external = Object.keys(manifest.peerDependencies);
    const { outputFiles } = await esbuild.build({
      entryPoints: [join(root, manifest.exports[name].default)],
      bundle: true,
      minify: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      external,
      write: false,
    });
    const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
    t.diagnostic(`${bytes} bytes`);
    assert.ok(bytes <= budget, `${bytes} bytes`);
  });
}
