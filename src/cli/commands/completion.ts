import { InvalidArgumentError } from "commander";

import type { Command } from "commander";

import type { CommandContext } from "../api-command.ts";

/** The hidden command that the shells ask; it gives one candidate a line, its description behind a tab. */
const COMPLETE = "__complete";

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_lighterman() {
  local IFS=$'\\n'
  COMPREPLY=($(lighterman ${COMPLETE} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -F _lighterman lighterman
`,
  zsh: `#compdef lighterman
_lighterman() {
  local -a found
  found=(\${(f)"$(lighterman ${COMPLETE} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  found=("\${(@)found/$'\\t'/:}")
  if (( \${#found} )) && [[ -n $found[1] ]]; then _describe lighterman found; else _files; fi
}
if [[ $funcstack[1] == _lighterman ]]; then _lighterman; else compdef _lighterman lighterman; fi
`,
  fish: `complete -c lighterman -a '(lighterman ${COMPLETE} -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
};

const HELP = `
To have it in every new shell:
  bash  lighterman completion bash >> ~/.bashrc
  zsh   lighterman completion zsh > "\${fpath[1]}/_lighterman"
  fish  lighterman completion fish > ~/.config/fish/completions/lighterman.fish
`;

/** `lighterman completion SHELL`. */
export function addCompletionFlags(completion: Command, { io }: CommandContext): void {
  completion
    .argument("<SHELL>", Object.keys(SCRIPTS).join(", "), (shell: string) => {
      if (SCRIPTS[shell] !== undefined) return shell;
      throw new InvalidArgumentError(`There is one for ${Object.keys(SCRIPTS).join(", ")}.`);
    })
    .addHelpText("after", HELP)
    .action((shell: string) => void io.stdout.write(SCRIPTS[shell] ?? ""));
}

/** What the shells call: the words of a command line, of which the last is the one to complete. */
export function addCompleteFlags(complete: Command, { io }: CommandContext): void {
  complete.argument("[words...]").action((words: readonly string[]) => {
    const begun = words.at(-1) ?? "";
    let command = complete.parent;
    for (const word of words.slice(0, -1)) {
      command = command?.commands.find((each) => [each.name(), ...each.aliases()].includes(word)) ?? command;
    }
    if (command === null) return;
    const help = command.createHelp();
    const candidates = begun.startsWith("-")
      ? help.visibleOptions(command).map(({ long, short, description }) => [long ?? short ?? "", description])
      : help.visibleCommands(command).map((each) => [each.name(), each.description()]);
    for (const [name = "", description = ""] of candidates) {
      if (name.startsWith(begun)) io.stdout.write(`${name}\t${description.split("\n")[0] ?? ""}\n`);
    }
  });
}
