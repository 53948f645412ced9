import type { JSX } from "preact";

import type { FieldValues, ParameterField } from "./parameter-fields.ts";

/** Asks for the parameters of a flow, one field each. */
export function ParameterForm({
  fields,
  values,
  problems,
  onChange,
}: {
  readonly fields: readonly ParameterField[];
  readonly values: FieldValues;
  readonly problems: Readonly<Record<string, string>>;
  readonly onChange: (values: FieldValues) => void;
}): JSX.Element {
  return (
    <>
      {fields.map((field, index) => {
        const id = `parameter-${field.name}`;
        const problem = problems[field.name];
        return (
          <div key={field.name} class="field">
            <label for={id}>
              {field.name}
              {field.isRequired && <span class="required"> required</span>}
              <span class="kind">{field.kind === "json" ? "JSON" : (field.format ?? field.kind)}</span>
            </label>
            <FieldInput
              id={id}
              field={field}
              value={values[field.name] ?? ""}
              hasProblem={problem !== undefined}
              isFirst={index === 0}
              onChange={(value) => onChange({ ...values, [field.name]: value })}
            />
            {field.description !== undefined && <p class="hint">{field.description}</p>}
            {problem !== undefined && (
              <p class="error-note" id={`${id}-problem`}>
                {problem}
              </p>
            )}
          </div>
        );
      })}
    </>
  );
}

interface InputProps {
  readonly id: string;
  readonly field: ParameterField;
  readonly value: string;
  readonly hasProblem: boolean;
  /** The dialog's first focus. */
  readonly isFirst: boolean;
  readonly onChange: (value: string) => void;
}

function FieldInput({ id, field, value, hasProblem, isFirst, onChange }: InputProps): JSX.Element {
  const shared = {
    id,
    name: field.name,
    value,
    autofocus: isFirst,
    "aria-invalid": hasProblem,
    "aria-required": field.isRequired,
    ...(hasProblem ? { "aria-describedby": `${id}-problem` } : {}),
  };
  switch (field.kind) {
    case "boolean":
    case "choice": {
      const choices = field.kind === "boolean" ? [true, false] : field.choices;
      return (
        <select {...shared} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
          <option value="">–</option>
          {choices.map((choice) => (
            <option key={JSON.stringify(choice)} value={JSON.stringify(choice)}>
              {typeof choice === "string" ? choice : JSON.stringify(choice)}
            </option>
          ))}
        </select>
      );
    }
    case "json":
      return (
        <textarea
          {...shared}
          class="code"
          rows={Math.min(10, Math.max(2, value.split("\n").length))}
          spellcheck={false}
          onInput={({ currentTarget }) => onChange(currentTarget.value)}
        />
      );
    default: {
      const typing = {
        ...shared,
        autocomplete: "off",
        onInput: ({ currentTarget }: { readonly currentTarget: HTMLInputElement }) =>
          onChange(currentTarget.value),
      };
      if (field.format === "password") return <input {...typing} type="password" />;
      return <input {...typing} type="text" inputMode={field.kind === "text" ? "text" : "decimal"} />;
    }
  }
}
