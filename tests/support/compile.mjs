// Compiles every contract of a folder with solc: compile.mjs <folder> <output folder>.
// Each contract becomes <output>/<Name>.json with { abi, bytecode, deployedBytecode }.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import solc from "solc";

const [folder, output] = process.argv.slice(2);

const sources = {};
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".sol")) continue;
  const path = join(entry.parentPath, entry.name);
  sources[relative(folder, path)] = { content: readFileSync(path, "utf8") };
}

const input = {
  language: "Solidity",
  sources,
  settings: {
    optimizer: { enabled: true, runs: 200 },
    // The same source gives the same bytes, whatever its comments say.
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};

const answer = JSON.parse(solc.compile(JSON.stringify(input)));
for (const message of answer.errors ?? []) console.error(message.formattedMessage);
if ((answer.errors ?? []).some((message) => message.severity === "error")) process.exit(1);

mkdirSync(output, { recursive: true });
for (const contracts of Object.values(answer.contracts ?? {})) {
  for (const [name, { abi, evm }] of Object.entries(contracts)) {
    const artifact = {
      abi,
      bytecode: `0x${evm.bytecode.object}`,
      deployedBytecode: `0x${evm.deployedBytecode.object}`,
    };
    writeFileSync(join(output, `${name}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
  }
}
