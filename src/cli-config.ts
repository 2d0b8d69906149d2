/** `rankstream config check`: what a start would run with, and where each value is from. */
import { Command } from "commander";
import { type CliIo, exitCodes } from "./cli-io.ts";
import { type Paint, painter, takesColor } from "./cli-paint.ts";
import { addConfigOptions, loadConfigOf } from "./cli-start.ts";
import { type Column, printable, tableLines } from "./cli-text.ts";
import {
  bytesText,
  type Config,
  ConfigError,
  type ConfigName,
  configNames,
  type LoadedConfig,
  shownValue,
} from "./config.ts";
import { type ConfigOption, configOptions } from "./config-options.ts";
import { checkAccess } from "./service-access.ts";

const helpAfter = `
Takes the flags and variables that 'rankstream start' takes, and starts nothing. Passwords are
shown as ***.

Examples:
  rankstream config check --config rankstream.json
  RANKSTREAM_PORT=9000 rankstream config check --json | jq .values.port

With --json: {"valid", "values": {name: {"value", "from"}}, "warnings"}, or {"valid": false,
"problems"}.

Exit codes: 0 it can be started with, 2 it can't; then a line says for each fault what was
expected, what came and from where.
`;

interface CheckFlags {
  json?: boolean;
  color: boolean;
  all?: boolean;
}

const columns: Column[] = [
  { name: "option", align: "left" },
  { name: "value", align: "left" },
  { name: "from", align: "left" },
];

function valueText(name: ConfigName, value: string | number): string {
  const option: ConfigOption = configOptions[name];
  const shown = shownValue(name, value);
  if (typeof shown === "number") return option.type === "bytes" ? bytesText(shown) : `${shown}`;
  return printable(shown);
}

/** The values as a table, those that were set first and in bold. */
export function configText({ config, origins }: LoadedConfig, paint: Paint): string {
  const isSet = (name: ConfigName) => origins[name] !== "default";
  const names = [...configNames.filter(isSet), ...configNames.filter((name) => !isSet(name))];
  const cells = names.map((name) => [name, valueText(name, config[name]), origins[name]]);
  const [head, ...rows] = tableLines(columns, cells, null);
  const lines = rows.map((row, i) => (isSet(names[i]!) ? paint("bold", row) : row));
  return [paint("dim", head!), ...lines].map((line) => `${line}\n`).join("");
}

function configJson({ config, origins, warnings }: LoadedConfig): object {
  const values = configNames.map((name) => [
    name,
    { value: shownValue(name, config[name]), from: origins[name] },
  ]);
  return { valid: true, values: Object.fromEntries(values), warnings };
}

/** Throws ConfigError where a start would be refused for the file of keys. */
async function checkKeys(config: Config): Promise<void> {
  const { status, message } = await checkAccess(config);
  if (status === "fail") throw new ConfigError(message);
}

async function runCheck(
  given: Record<string, string>,
  flags: CheckFlags,
  io: CliIo,
): Promise<number> {
  const error = painter(takesColor(io, "error", flags.color));
  try {
    const loaded = loadConfigOf(given, io);
    await checkKeys(loaded.config);
    for (const warning of loaded.warnings)
      io.writeError(`${error("yellow", "warning")}: ${warning}\n`);
    if (flags.json === true) io.writeOut(`${JSON.stringify(configJson(loaded))}\n`);
    else io.writeOut(configText(loaded, painter(takesColor(io, "out", flags.color))));
    return exitCodes.done;
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure;
    const { problems } = failure;
    if (flags.json === true) io.writeOut(`${JSON.stringify({ valid: false, problems })}\n`);
    for (const problem of problems) io.writeError(`${error("red", "error")}: ${problem}\n`);
    return exitCodes.usage;
  }
}

/** Adds the commands; `done` is told the exit code. */
export function addConfigCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const config = program.command("config").description("Look at the configuration.");
  const check = new Command("check")
    .description("Check it, and print every value and where it is from.")
    .option("--json", "print it as JSON")
    .option("--no-color", "no colours")
    .addHelpText("after", helpAfter)
    .action(async (given: Record<string, string> & CheckFlags) => {
      const { json, color, ...values } = given;
      done(await runCheck(values, { color, ...(json !== undefined && { json }) }, io));
    });
  addConfigOptions(check);
  config.addCommand(check);
}
