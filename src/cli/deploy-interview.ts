import { rename } from "node:fs/promises";
import { join } from "node:path";

import { mapOf, textOf } from "../api/fields.ts";
import { registerBlockType } from "../api/manage/block-registration.ts";
import {
  createBlock,
  findBlock,
  findBlockType,
  findLatestSchema,
  listBlocks,
  updateBlock,
} from "../api/manage/blocks.ts";
import { BUILT_IN_BLOCKS } from "../api/manage/built-in-blocks.ts";
import { WorkerError } from "../errors.ts";
import { cloneSteps, imageSteps, slugOf, STORES, storeSteps } from "../project/interview.ts";
import { checkTimes, scheduleBody } from "../project/schedules.ts";
import { blockNameProblem, imageProblem, newPathProblem, required } from "./deploy-answers.ts";
import { answered } from "./deploy-prompts.ts";

import type { Caller } from "../api/calls.ts";
import type { JsonObject } from "../json/value.ts";
import type { Surroundings } from "../project/init.ts";
import type { DeployInterview, InterviewedDeployment, StepsAnswer, StoreName } from "../project/interview.ts";
import type { Terminal } from "./deploy-prompts.ts";

export interface DeployInterviewOptions {
  readonly terminal: Terminal;
  readonly api: Caller;
  readonly cwd: string;
  readonly lookAround: () => Promise<Surroundings>;
  readonly onSecret: (text: string) => void;
}

// Fields that Prefect asks for when credentials are new; the others can be set later.
const CREDENTIALS: Readonly<Record<string, readonly string[]>> = {
  "aws-credentials": ["aws_access_key_id", "aws_secret_access_key"],
  "gcp-credentials": ["project", "service_account_file"],
  "azure-blob-storage-credentials": ["account_url", "connection_string"],
};

// What happens when one is left empty.
const WITHOUT: Readonly<Record<string, string>> = {
  aws_access_key_id: " (empty: those of the machine that runs the steps)",
  service_account_file: " (empty: those of the machine that runs the steps)",
  account_url: " (empty: a connection string is asked for)",
};

/** The questions of `prefect deploy` about image, storage and schedules (prefect/cli/_prompts.py, prefect/cli/deploy/_actions.py). */
export function createDeployInterview(options: DeployInterviewOptions): DeployInterview {
  return new Interview(options);
}

class Interview implements DeployInterview {
  readonly #options: DeployInterviewOptions;
  readonly #pending: (() => Promise<unknown>)[] = [];

  constructor(options: DeployInterviewOptions) {
    this.#options = options;
  }

  async settle(): Promise<void> {
    for (const act of this.#pending.splice(0)) await act();
  }

  async image({ name, workPoolName }: InterviewedDeployment): Promise<StepsAnswer | undefined> {
    const isWanted = await this.#confirm("Build a custom Docker image for this deployment?", false);
    if (!isWanted) return undefined;
    const dockerfile = await this.#dockerfile();
    const repository = withoutSlash(
      await this.#text("Repository (such as your user name at the registry)", {
        required: (text) => required(text) ?? imageProblem(`${withoutSlash(text ?? "")}/x`),
      }),
    );
    const isImage = (text: string | undefined): string | undefined =>
      required(text) ?? imageProblem(`${repository}/${text}`);
    const suggested = isImage(name) === undefined ? name : slugOf(name);
    const image = await this.#text("Image name", { initial: suggested, required: isImage });
    const short = `${repository}/${image}`;
    const tag = await this.#text("Image tag", {
      initial: "latest",
      required: (text) => required(text) ?? imageProblem(`${short}:${text}`),
    });
    if (!(await this.#confirm("Push this image to a registry?", false))) {
      return imageSteps({ name: short, tag, dockerfile, isPushed: false });
    }
    const registry = withoutSlash(
      await this.#text("Registry", {
        initial: "docker.io",
        required: (text) => required(text) ?? imageProblem(`${withoutSlash(text ?? "")}/${short}`),
      }),
    );
    const credentials = (await this.#confirm("Is this a private registry?", false))
      ? await this.#registryCredentials(
          `deployment-${slugOf(name)}-${slugOf(workPoolName)}-registry-creds`,
          registry,
        )
      : undefined;
    return imageSteps({ name: `${registry}/${short}`, tag, dockerfile, isPushed: true, credentials });
  }

  async storage(deployment: InterviewedDeployment): Promise<StepsAnswer | undefined> {
    const isWanted = await this.#confirm(
      "Workers need this flow's code. Should they pull it from a remote place for each run?",
      true,
    );
    if (!isWanted) return undefined;
    const stores = await this.#stores();
    const chosen = await this.#select("Where is the code?", [
      { value: "git" as const, label: "Git", hint: "a repository (recommended)" },
      ...stores.map(({ value }) => ({ value, label: STORES[value].label, hint: STORES[value].hint })),
    ]);
    if (chosen === "git") return await this.#clone(deployment);
    const store = stores.find(({ value }) => value === chosen);
    const { place } = STORES[chosen];
    const name = await this.#text(`${place === "bucket" ? "Bucket" : "Container"} name`, { required });
    const folder = await this.#text("Folder name", { required });
    const credentials = store === undefined ? null : await this.#storeCredentials(chosen, store.fields);
    return storeSteps(chosen, name, folder, credentials);
  }

  async directoryOfDockerfile(suggested: string): Promise<string> {
    if (!(await this.#confirm("Does your Dockerfile copy this directory into the image?", true))) {
      throw new WorkerError("DEPLOY_REFUSED", "The flow's code must be in the image to run from it", {
        hint: "Add a line such as `COPY . /opt/prefect/` to the Dockerfile. Nothing was registered.",
      });
    }
    return await this.#text("Where does the code lie in the image?", { initial: suggested });
  }

  async directoryOfImage(suggested: string): Promise<string> {
    return await this.#text("In which directory of the image does the flow's code lie?", {
      initial: suggested,
    });
  }

  async schedules(): Promise<readonly JsonObject[]> {
    const schedules: JsonObject[] = [];
    if (!(await this.#confirm("Add schedules to this deployment?", true))) return schedules;
    do {
      const times = await this.#times();
      schedules.push({ ...times, active: await this.#confirm("Activate this schedule?", true) });
    } while (await this.#confirm("Add another schedule?", false));
    return schedules;
  }

  async #times(): Promise<JsonObject> {
    const kind = await this.#select("What kind of schedule?", [
      { value: "interval", label: "Interval", hint: "every so many seconds" },
      { value: "cron", label: "Cron", hint: "a pattern of minutes, hours, days, …" },
      { value: "rrule", label: "RRule", hint: "a recurrence rule of iCalendar" },
    ]);
    if (kind === "interval") {
      const seconds = await this.#text("Seconds between runs", {
        initial: "3600",
        required: (text) => checked({ interval: Number(text) }),
      });
      return { interval: Number(seconds), anchor_date: `${new Date().toISOString().slice(0, 19)}+00:00` };
    }
    const isCron = kind === "cron";
    const line = await this.#text(isCron ? "Cron line" : "Recurrence rule", {
      initial: isCron ? "0 0 * * *" : "RRULE:FREQ=DAILY;INTERVAL=1",
      required: (text) => required(text) ?? checked({ [kind]: text ?? "" }),
    });
    const timezone = await this.#text("Time zone", {
      initial: "UTC",
      required: (text) => checked({ [kind]: line, timezone: text ?? "" }),
    });
    return { [kind]: line, timezone };
  }

  /** A Dockerfile that is there may be used; else one is generated, for which its name must be free. */
  async #dockerfile(): Promise<string> {
    const { cwd, lookAround } = this.#options;
    if (!(await lookAround()).hasDockerfile) return "auto";
    if (await this.#confirm("Use the Dockerfile of this directory?", true)) return "Dockerfile";
    if (!(await this.#confirm("Another one will be generated, under the same name. Rename yours?", true))) {
      throw new WorkerError("DEPLOY_REFUSED", "There is a Dockerfile already", {
        hint: "Remove or rename it, so that one can be generated. Nothing was registered.",
      });
    }
    const name = await this.#text("New name of your Dockerfile", {
      initial: "Dockerfile.backup",
      required: (text) => newPathProblem(text, cwd),
    });
    this.#pending.push(() => rename(join(cwd, "Dockerfile"), join(cwd, name)));
    return "auto";
  }

  async #clone({ name, flowName }: InterviewedDeployment): Promise<StepsAnswer> {
    const { repository: found, branch = "main" } = await this.#options.lookAround();
    const repository = await this.#text("Address of the repository", {
      required,
      ...(found === undefined ? {} : { initial: found }),
    });
    const chosenBranch = await this.#text("Branch", { initial: branch });
    if (!(await this.#confirm("Is this a private repository?", false))) {
      return cloneSteps(repository, chosenBranch, undefined);
    }
    const block = `deployment-${slugOf(name)}-${slugOf(flowName)}-repo-token`;
    const existing = await findBlock(this.#options.api, "secret", block);
    if (existing === null || !(await this.#confirm(`Use the token of the block '${block}'?`, true))) {
      const value = await this.#secret(
        `A token for the repository (it is kept in the block secret/${block})`,
      );
      this.#pending.push(() => this.#save("secret", block, { value }));
    }
    return cloneSteps(repository, chosenBranch, `{{ prefect.blocks.secret.${block} }}`);
  }

  async #registryCredentials(block: string, registry: string): Promise<string | undefined> {
    const type = "docker-registry-credentials";
    if ((await blockFields(this.#options.api, type)) === null) {
      this.#note(
        `The server does not know blocks of type ${type}: the push uses the login of \`docker login\`.`,
      );
      return undefined;
    }
    if (!(await this.#confirm("Keep the registry's login in a block of the server?", false)))
      return undefined;
    const existing = await findBlock(this.#options.api, type, block);
    if (existing === null || !(await this.#confirm(`Use the login of the block '${block}'?`, true))) {
      const username = await this.#text("User name at the registry", { required });
      const password = await this.#secret("Password at the registry");
      this.#pending.push(() => this.#save(type, block, { username, password, registry_url: registry }));
    }
    return `{{ prefect.blocks.${type}.${block} }}`;
  }

  /** Kinds of stores whose credentials the server can keep. */
  async #stores(): Promise<readonly { readonly value: StoreName; readonly fields: JsonObject }[]> {
    const known = await Promise.all(
      Object.entries(STORES).map(async ([value, { block: type }]) => {
        const fields = await blockFields(this.#options.api, type);
        return fields === null ? [] : [{ value: value as StoreName, fields }];
      }),
    );
    return known.flat();
  }

  async #storeCredentials(store: StoreName, fields: JsonObject): Promise<string> {
    const { block: slug } = STORES[store];
    const names = (await listBlocks(this.#options.api))
      .filter(({ json }) => textOf(mapOf(json, "block_type"), "slug") === slug)
      .flatMap(({ json }) => textOf(json, "name") ?? []);
    if (names.length > 0) {
      const chosen = await this.#select("Which credentials?", [
        ...names.map((name) => ({ value: name, label: name })),
        { value: "", label: "New ones" },
      ]);
      if (chosen !== "") return `{{ prefect.blocks.${slug}.${chosen} }}`;
    }
    const data: Record<string, string> = {};
    for (const field of CREDENTIALS[slug] ?? []) {
      const about = mapOf(fields, field);
      if (Object.keys(about).length === 0 || isNeedless(field, data)) continue;
      const isSecret = textOf(about, "format") === "password" || /secret|connection/.test(field);
      const value = isSecret
        ? await this.#secret(field)
        : await this.#text(`${field}${WITHOUT[field] ?? " (may stay empty)"}`, {});
      if (value !== "") data[field] = value;
    }
    const name = await this.#text("A name for these credentials", {
      initial: `${store.replaceAll("_", "-")}-storage-credentials`,
      required: (text) => blockNameProblem(text, names),
    });
    this.#pending.push(() => this.#save(slug, name, data));
    return `{{ prefect.blocks.${slug}.${name} }}`;
  }

  async #save(typeSlug: string, name: string, data: JsonObject): Promise<void> {
    const { api } = this.#options;
    const registered = await registerBlockType(api, typeSlug);
    if (registered === null) throw new WorkerError("NOT_FOUND", `There is no block type '${typeSlug}'`);
    const { type, schema } = registered;
    const block = { name, data, block_type_id: type.id, block_schema_id: schema.id };
    const existing = await findBlock(api, typeSlug, name);
    if (existing === null) await createBlock(api, block);
    else await updateBlock(api, existing.id, block);
  }

  async #confirm(message: string, initialValue: boolean): Promise<boolean> {
    const prompts = await import("@clack/prompts");
    return answered(prompts, await prompts.confirm({ message, initialValue, ...this.#options.terminal }));
  }

  async #text(message: string, { initial, required: validate }: TextOptions): Promise<string> {
    const prompts = await import("@clack/prompts");
    const answer = await prompts.text({
      message,
      ...(initial === undefined ? {} : { placeholder: initial, defaultValue: initial }),
      // What is left empty is the default.
      validate: (text) => validate?.(initial !== undefined && (text ?? "") === "" ? initial : text),
      ...this.#options.terminal,
    });
    return answered(prompts, answer);
  }

  async #secret(message: string): Promise<string> {
    const prompts = await import("@clack/prompts");
    const answer = answered(
      prompts,
      await prompts.password({ message, validate: required, ...this.#options.terminal }),
    );
    this.#options.onSecret(answer);
    return answer;
  }

  async #select<T extends string>(
    message: string,
    options: readonly { readonly value: T; readonly label: string; readonly hint?: string }[],
  ): Promise<T> {
    const prompts = await import("@clack/prompts");
    const chosen = await prompts.select<string>({
      message,
      options: [...options],
      ...this.#options.terminal,
    });
    const value = answered(prompts, chosen);
    return options.find((option) => option.value === value)?.value ?? (value as T);
  }

  #note(message: string): void {
    this.#options.terminal.output.write(`${message}\n`);
  }
}

interface TextOptions {
  /** Taken when nothing is typed. */
  readonly initial?: string;
  /** Says what is wrong. */
  readonly required?: (text: string | undefined) => string | undefined;
}

/** A secret belongs to its key, and a connection string stands for the account's address: the block takes one of the two. */
function isNeedless(field: string, given: Readonly<Record<string, string>>): boolean {
  return field === "connection_string"
    ? given["account_url"] !== undefined
    : field === "aws_secret_access_key" && given["aws_access_key_id"] === undefined;
}

function withoutSlash(text: string): string {
  return text.replace(/\/+$/, "");
}

/** The fields of a block type that can be used here; null for one that neither the server nor we know. */
async function blockFields(api: Caller, slug: string): Promise<JsonObject | null> {
  const type = await findBlockType(api, slug);
  const schema = type === null ? null : await findLatestSchema(api, type.id);
  if (schema !== null) return mapOf(schema.fields, "properties");
  return BUILT_IN_BLOCKS.get(slug)?.properties ?? null;
}

function checked(schedule: JsonObject): string | undefined {
  try {
    checkTimes(scheduleBody(schedule)["schedule"] ?? null);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof RangeError) return thrown.message;
    throw thrown;
  }
}
