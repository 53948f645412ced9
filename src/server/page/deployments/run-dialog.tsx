import { useState } from "preact/hooks";

import { runDeployment } from "../api/actions.ts";
import { reasonText } from "../api/client.ts";
import { Store, useStore } from "../live/store.ts";
import { runHref } from "../routes.ts";
import { Dialog } from "../shell/dialog.tsx";
import { say } from "../shell/toasts.tsx";
import { fieldsOf, firstValues, parametersOf } from "./parameter-fields.ts";
import { ParameterForm } from "./parameter-form.tsx";

import type { JSX } from "preact";

import type { Deployment, JsonObject, JsonValue } from "../api/types.ts";
import type { RunRequest } from "../api/actions.ts";

interface RunOffer {
  readonly deployment: Deployment;
  readonly title: string;
  /** Laid over the deployment's own. */
  readonly parameters: JsonObject;
}

const offer = new Store<RunOffer | undefined>(undefined);

/** Opens the form that starts a run of a deployment. */
export function offerRun(deployment: Deployment, title: string, parameters: JsonObject = {}): void {
  offer.set({ deployment, title, parameters });
}

/** The form, while a run is offered. */
export function RunDialogHost(): JSX.Element | null {
  const current = useStore(offer);
  if (current === undefined) return null;
  return <RunDialog key={current.deployment.id} offer={current} onClose={() => offer.set(undefined)} />;
}

function RunDialog({
  offer: { deployment, title, parameters },
  onClose,
}: {
  readonly offer: RunOffer;
  readonly onClose: () => void;
}): JSX.Element {
  const given = { ...deployment.parameters, ...parameters };
  const fields = fieldsOf(deployment.parameter_openapi_schema);
  const [isJson, setIsJson] = useState(fields.length === 0 && Object.keys(given).length > 0);
  const [values, setValues] = useState(firstValues(fields, given));
  const [json, setJson] = useState(JSON.stringify(given, null, 2));
  const [name, setName] = useState("");
  const [tags, setTags] = useState("");
  const [jobVariables, setJobVariables] = useState("");
  const [time, setTime] = useState("");
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>({});
  const [isSending, setIsSending] = useState(false);

  function chosenParameters(): JsonObject | undefined {
    if (isJson) {
      const object = asObject(json);
      if (object === undefined) setProblems({ json: "This is not a JSON object." });
      return object;
    }
    const result = parametersOf(fields, values);
    if (result.problems !== undefined) setProblems(result.problems);
    // Parameters without a field in the schema go along.
    return result.problems === undefined ? { ...withoutFields(given), ...result.parameters } : undefined;
  }

  function withoutFields(all: JsonObject): JsonObject {
    return Object.fromEntries(
      Object.entries(all).filter(([key]) => !fields.some((field) => field.name === key)),
    );
  }

  async function submit(): Promise<void> {
    const chosen = chosenParameters();
    const job = jobVariables.trim() === "" ? {} : asObject(jobVariables);
    if (job === undefined) setProblems({ job: "This is not a JSON object." });
    if (chosen === undefined || job === undefined) return;
    const request: RunRequest = {
      parameters: chosen,
      ...(name === "" ? {} : { name }),
      ...(tags.trim() === "" ? {} : { tags: tags.split(",").map((tag) => tag.trim()) }),
      ...(Object.keys(job).length === 0 ? {} : { job_variables: job }),
      ...(time === "" ? {} : { scheduledTime: new Date(time).toISOString() }),
    };
    setIsSending(true);
    try {
      const run = await runDeployment(deployment.id, request);
      say(`${run.name} ${time === "" ? "was started" : "is scheduled"}`, runHref(run.id));
      onClose();
    } catch (thrown) {
      setProblems({ all: reasonText(thrown) });
      setIsSending(false);
    }
  }

  function switchView(): void {
    if (isJson) {
      const object = asObject(json);
      if (object !== undefined) setValues(firstValues(fields, object));
    } else {
      const result = parametersOf(fields, values);
      if (result.problems === undefined) setJson(JSON.stringify(result.parameters, null, 2));
    }
    setProblems({});
    setIsJson(!isJson);
  }

  return (
    <Dialog title={`Run ${title}`} onClose={onClose} isWide>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div class="form-head">
          <h3>Parameters</h3>
          {fields.length > 0 && (
            <button type="button" class="plain" aria-pressed={isJson} onClick={switchView}>
              {isJson ? "As a form" : "As JSON"}
            </button>
          )}
        </div>
        {isJson ? (
          <div class="field">
            <textarea
              class="code"
              rows={10}
              aria-label="Parameters as JSON"
              spellcheck={false}
              value={json}
              onInput={({ currentTarget }) => setJson(currentTarget.value)}
            />
            <Problem text={problems["json"]} />
          </div>
        ) : fields.length === 0 ? (
          <p class="muted">
            This deployment names no parameters.{" "}
            <button type="button" class="plain" onClick={switchView}>
              Give some as JSON
            </button>
          </p>
        ) : (
          <ParameterForm fields={fields} values={values} problems={problems} onChange={setValues} />
        )}
        <details>
          <summary>Name, time, tags, job variables</summary>
          <TextField
            label="Name of the run"
            value={name}
            onChange={setName}
            placeholder="made up when empty"
          />
          <label class="field">
            Start at
            <input
              type="datetime-local"
              value={time}
              onInput={({ currentTarget }) => setTime(currentTarget.value)}
            />
          </label>
          <TextField label="Tags, with commas" value={tags} onChange={setTags} />
          <TextField
            label="Job variables (JSON)"
            value={jobVariables}
            onChange={setJobVariables}
            placeholder='{"command": "…"}'
          />
          <Problem text={problems["job"]} />
        </details>
        <Problem text={problems["all"]} />
        <div class="dialog-buttons">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button primary" disabled={isSending} autofocus={fields.length === 0}>
            {time === "" ? "Run now" : "Schedule"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function TextField({
  label,
  value,
  onChange,
  placeholder = "",
}: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly placeholder?: string;
}): JSX.Element {
  return (
    <label class="field">
      {label}
      <input
        value={value}
        placeholder={placeholder}
        autocomplete="off"
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
    </label>
  );
}

function Problem({ text }: { readonly text: string | undefined }): JSX.Element | null {
  return text === undefined ? null : (
    <p class="error-note" role="alert">
      {text}
    </p>
  );
}

function asObject(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as JsonValue;
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined;
  } catch {
    return undefined;
  }
}
