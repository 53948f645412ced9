import { useEffect, useState } from "preact/hooks";

import { names } from "../api/names.ts";
import { useStore } from "../live/store.ts";
import { RANGES, STATE_GROUP_NAMES } from "./run-filter.ts";

import type { JSX } from "preact";

import type { Range, RunFilter, StateGroup } from "./run-filter.ts";

const TYPING_MS = 250;

/** Chooses which runs are shown. */
export function FilterBar({
  filter,
  onChange,
}: {
  readonly filter: RunFilter;
  readonly onChange: (filter: RunFilter) => void;
}): JSX.Element {
  return (
    <div class="filters" role="search">
      <SearchField text={filter.text} label="Run name" onChange={(text) => onChange({ ...filter, text })} />
      <SourceSelect filter={filter} onChange={onChange} />
      <div class="choices" role="group" aria-label="Span of time">
        {(Object.keys(RANGES) as Range[]).map((range) => (
          <button
            key={range}
            type="button"
            aria-pressed={filter.range === range}
            onClick={() => onChange({ ...filter, range })}
          >
            {range}
          </button>
        ))}
      </div>
      <div class="choices states" role="group" aria-label="States">
        {STATE_GROUP_NAMES.map((state) => (
          <button
            key={state}
            type="button"
            data-tone={state}
            aria-pressed={filter.states.includes(state)}
            onClick={() => onChange({ ...filter, states: toggled(filter.states, state) })}
          >
            <span class="dot" data-tone={state} aria-hidden="true" />
            {state}
          </button>
        ))}
      </div>
    </div>
  );
}

/** A search field that `/` goes to; it tells what was typed after a moment. */
export function SearchField({
  text,
  label,
  onChange,
}: {
  readonly text: string;
  readonly label: string;
  readonly onChange: (text: string) => void;
}): JSX.Element {
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed === text) return undefined;
    const timer = window.setTimeout(() => onChange(typed), TYPING_MS);
    return () => window.clearTimeout(timer);
  }, [typed]);
  return (
    <input
      type="search"
      class="search"
      data-search
      placeholder={`${label}  /`}
      aria-label={label}
      value={typed}
      onInput={({ currentTarget }) => setTyped(currentTarget.value)}
    />
  );
}

function SourceSelect({
  filter,
  onChange,
}: {
  readonly filter: RunFilter;
  readonly onChange: (filter: RunFilter) => void;
}): JSX.Element {
  const { flows, deployments } = useStore(names);
  const value =
    filter.deployment === undefined
      ? filter.flow === undefined
        ? ""
        : `flow:${filter.flow}`
      : `deployment:${filter.deployment}`;
  const choose = (choice: string): void => {
    const [kind, id] = choice.split(":", 2);
    onChange({
      ...filter,
      flow: kind === "flow" ? id : undefined,
      deployment: kind === "deployment" ? id : undefined,
    });
  };
  return (
    <select
      aria-label="Flow or deployment"
      value={value}
      onChange={({ currentTarget }) => choose(currentTarget.value)}
    >
      <option value="">All flows</option>
      {[...flows.values()].map((flow) => (
        <optgroup key={flow.id} label={flow.name}>
          <option value={`flow:${flow.id}`}>{flow.name}</option>
          {[...deployments.values()]
            .filter((deployment) => deployment.flow_id === flow.id)
            .map((deployment) => (
              <option key={deployment.id} value={`deployment:${deployment.id}`}>
                {flow.name} / {deployment.name}
              </option>
            ))}
        </optgroup>
      ))}
    </select>
  );
}

function toggled(states: readonly StateGroup[], state: StateGroup): readonly StateGroup[] {
  return states.includes(state) ? states.filter((name) => name !== state) : [...states, state];
}
