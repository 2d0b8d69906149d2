/** `rankstream completion`: scripts for shells, made of the commands as they are. */
import { type Argument, type Command, Option } from "commander";
import { type CliIo, exitCodes } from "./cli-io.ts";
import { printable } from "./cli-text.ts";

/** What a value is completed by. */
type Values = { kind: "none" } | { kind: "file" } | { kind: "choices"; choices: string[] };

interface KnownOption {
  /** `--url`, `-k`. */
  names: string[];
  values: Values | null;
  help: string;
}

/** A command by its words after the program's name: `""`, `start`, `config check`. */
export interface KnownCommand {
  path: string;
  help: string;
  commands: { name: string; help: string }[];
  options: KnownOption[];
  /** Of its arguments. */
  values: Values;
}

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

const helpAfter = `
Examples:
  source <(rankstream completion bash)                  in ~/.bashrc
  rankstream completion zsh > ~/.zfunc/_rankstream      a folder of $fpath
  rankstream completion fish > ~/.config/fish/completions/rankstream.fish
`;

/** What `<file>` or `<folder>` stands for, or what is one of a few. */
function valuesOf({ argChoices }: Pick<Option | Argument, "argChoices">, what: string): Values {
  if (argChoices !== undefined) return { kind: "choices", choices: argChoices };
  return { kind: /<(?:file|folder)>|\[file\]|^file$/.test(what) ? "file" : "none" };
}

function optionOf(option: Option): KnownOption {
  const takesValue = option.required || option.optional;
  return {
    names: [option.short, option.long].filter((name) => typeof name === "string"),
    values: takesValue ? valuesOf(option, option.flags) : null,
    help: firstSentence(option.description),
  };
}

/** One line, without what would end a quoted text of a shell. */
function firstSentence(text: string): string {
  return printable(text.split(/\.(?= |$)|[[(]/)[0]!.trim()).replaceAll(/['"\\:`$]/g, "");
}

/** The tree of commands, flat. */
export function knownCommands(command: Command, words: readonly string[] = []): KnownCommand[] {
  const [argument] = command.registeredArguments;
  const help = new Option("-h, --help", "show what there is");
  const own: KnownCommand = {
    path: words.join(" "),
    help: firstSentence(command.description()),
    commands: command.commands.map((sub) => ({
      name: sub.name(),
      help: firstSentence(sub.description()),
    })),
    options: [...command.options, help].map(optionOf),
    values: argument === undefined ? { kind: "none" } : valuesOf(argument, argument.name()),
  };
  const subs = command.commands.flatMap((sub) => knownCommands(sub, [...words, sub.name()]));
  return [own, ...subs];
}

const quoted = (words: readonly string[]) => `'${words.join(" ")}'`;

function bashReply(values: Values): string {
  if (values.kind === "file") {
    // A name may hold spaces.
    return 'while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$cur")';
  }
  const words = values.kind === "choices" ? quoted(values.choices) : "''";
  return `COMPREPLY=($(compgen -W ${words} -- "$cur"))`;
}

/** A function that finds the command among the words, then what fits at the cursor. */
function bashScript(commands: readonly KnownCommand[]): string {
  const valued = commands.flatMap(({ path, options }) =>
    options.flatMap(({ names, values }) =>
      values === null ? [] : names.map((name) => ({ place: `${path}|${name}`, values })),
    ),
  );
  const ofValues = valued.map(
    ({ place, values }) => `    ${quoted([place])}) ${bashReply(values)}; return ;;`,
  );
  const ofWords = commands.map(({ path, commands: subs, options, values }) => {
    const names = options.flatMap((option) => option.names);
    const rest =
      subs.length > 0 ? { kind: "choices" as const, choices: subs.map((s) => s.name) } : values;
    return `    ${quoted([path])})
      if [[ $cur == -* ]]; then ${bashReply({ kind: "choices", choices: names })}
      else ${bashReply(rest)}; fi ;;`;
  });
  const paths = commands.map(({ path }) => quoted([path])).filter((path) => path !== "''");
  const places = valued.map(({ place }) => quoted([place]));
  return `# bash completion of rankstream
_rankstream() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path='' i word
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == -* ]]; then
      case "$path|$word" in
        ${places.join("|")}) ((i++)) ;;
      esac
      continue
    fi
    case "\${path:+$path }$word" in
      ${paths.join("|")}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path|$prev" in
${ofValues.join("\n")}
  esac
  case "$path" in
${ofWords.join("\n")}
  esac
}
complete -o filenames -o bashdefault -F _rankstream rankstream
`;
}

function zshAction(values: Values): string {
  if (values.kind === "file") return ":file:_files";
  return values.kind === "choices" ? `:value:(${values.choices.join(" ")})` : ":value: ";
}

function zshFunction({ path, commands, options, values }: KnownCommand): string {
  const name = ["_rankstream", ...path.split(" ").filter(Boolean)].join("_");
  const specs = options.flatMap(({ names, values: own, help }) =>
    names.map((each) => `'*${each}[${help}]${own === null ? "" : zshAction(own)}'`),
  );
  if (commands.length === 0) {
    const rest = `'*${values.kind === "none" ? ":argument: " : zshAction(values)}'`;
    return `${name}() {\n  _arguments ${[...specs, rest].join(" \\\n    ")}\n}\n`;
  }
  const listed = commands.map((sub) => `'${sub.name}:${sub.help}'`).join(" ");
  const cases = commands.map((sub) => `    ${sub.name}) ${name}_${sub.name} ;;`).join("\n");
  return `${name}() {
  local -a commands=(${listed})
  local curcontext=$curcontext state line
  _arguments -C ${specs.join(" \\\n    ")} '1: :->command' '*:: :->rest'
  [[ $state == command ]] && _describe command commands
  [[ $state == rest ]] && case $line[1] in
${cases}
  esac
}
`;
}

function zshScript(commands: readonly KnownCommand[]): string {
  const functions = commands.map(zshFunction).join("\n");
  const end = `if [ "$funcstack[1]" = _rankstream ]; then _rankstream "$@"
else compdef _rankstream rankstream; fi
`;
  return `#compdef rankstream\n\n${functions}\n${end}`;
}

function fishCondition(path: string, subs: readonly { name: string }[]): string {
  const words = path.split(" ").filter(Boolean);
  const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
  const none = subs.length === 0 ? [] : subs.map(({ name }) => name);
  if (none.length > 0) seen.push(`not __fish_seen_subcommand_from ${none.join(" ")}`);
  return seen.join("; and ");
}

function fishLines({ path, commands, options, values }: KnownCommand): string[] {
  const start = `complete -c rankstream -n '${fishCondition(path, commands)}'`;
  const takes = (own: Values) => {
    if (own.kind === "file") return " -rF";
    return own.kind === "choices" ? ` -xa '${own.choices.join(" ")}'` : " -x";
  };
  const subs = commands.map(({ name, help }) => `${start} -f -a ${name} -d '${help}'`);
  const flags = options.map(({ names, values: own, help }) => {
    const each = names.map((name) =>
      name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name[1]}`,
    );
    return `${start} ${each.join(" ")}${own === null ? "" : takes(own)} -d '${help}'`;
  });
  const rest =
    commands.length > 0 || values.kind === "file"
      ? []
      : [`${start} -f${values.kind === "choices" ? ` -a '${values.choices.join(" ")}'` : ""}`];
  return [...subs, ...flags, ...rest];
}

function fishScript(commands: readonly KnownCommand[]): string {
  return `# fish completion of rankstream\n${commands.flatMap(fishLines).join("\n")}\n`;
}

/** The script of a shell. */
export function completionScript(shell: Shell, program: Command): string {
  const commands = knownCommands(program);
  if (shell === "bash") return bashScript(commands);
  return shell === "zsh" ? zshScript(commands) : fishScript(commands);
}

/** Adds the command; `done` is told its exit code. */
export function addCompletionCommand(
  program: Command,
  io: CliIo,
  done: (code: number) => void,
): void {
  const command = program
    .command("completion")
    .description("Print a script that completes commands, options and their values.")
    .addHelpText("after", helpAfter);
  command
    .addArgument(command.createArgument("<shell>", "which shell").choices([...shells]))
    .action((shell: Shell) => {
      io.writeOut(completionScript(shell, program));
      done(exitCodes.done);
    });
}
