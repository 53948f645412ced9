import { call } from "./client.ts";
import { Store } from "../live/store.ts";

import type { Deployment, Flow } from "./types.ts";

/** What a list of runs needs of their deployments and flows. */
export interface Names {
  readonly deployments: ReadonlyMap<string, Deployment>;
  readonly flows: ReadonlyMap<string, Flow>;
}

const PAGE = 200;
const MOST_PAGES = 25;

/** Deployments and flows by their ids; read once and shared by the views. */
export const names = new Store<Names>({ deployments: new Map(), flows: new Map() });

let reading: Promise<void> | undefined;

/** Reads them (again); many calls at once make one. */
export function readNames(): Promise<void> {
  reading ??= read().finally(() => {
    reading = undefined;
  });
  return reading;
}

async function read(): Promise<void> {
  const [deployments, flows] = await Promise.all([
    allOf<Deployment>("/deployments/filter"),
    allOf<Flow>("/flows/filter"),
  ]);
  names.set({ deployments: byId(deployments), flows: byId(flows) });
}

async function allOf<T>(path: string): Promise<readonly T[]> {
  const all: T[] = [];
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const items = await call<readonly T[]>("POST", path, {
      sort: "NAME_ASC",
      limit: PAGE,
      offset: page * PAGE,
    });
    all.push(...items);
    if (items.length < PAGE) break;
  }
  return all;
}

function byId<T extends { readonly id: string }>(items: readonly T[]): Map<string, T> {
  return new Map(items.map((item) => [item.id, item]));
}
