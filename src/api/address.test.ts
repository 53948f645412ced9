import { describe, expect, it } from "vitest";

import { WorkerError } from "../errors.ts";
import { parseApiAddress } from "./address.ts";

describe("parseApiAddress", () => {
  it("takes user and password out of what is printed", () => {
    expect(parseApiAddress("https://me:p%40ss@prefect.corp:8443/api/")).toEqual({
      url: "https://prefect.corp:8443/api",
      origin: "https://prefect.corp:8443",
      basePath: "/api",
      isTls: true,
      isCloud: false,
      userInfo: "me:p@ss",
    });
  });

  it("knows Prefect Cloud", () => {
    expect(parseApiAddress("https://api.prefect.cloud/api/accounts/a/workspaces/w").isCloud).toBe(true);
    expect(parseApiAddress("https://notprefect.cloud/api").isCloud).toBe(false);
  });

  it.each(["127.0.0.1:4200/api", "ftp://host/api", "", "http://"])("refuses %j", (text) => {
    expect(() => parseApiAddress(text)).toThrow(/is no address of a Prefect API/);
  });

  it("refuses what is no address without repeating a password", () => {
    for (const text of ["me:hunter22@host/api", "ftp://me:hunter22@host/api"]) {
      const thrown = catchError(() => parseApiAddress(text));
      expect(thrown).toBeInstanceOf(WorkerError);
      expect(thrown).toMatchObject({ code: "CONFIG_INVALID" });
      expect(String(thrown)).not.toContain("hunter22");
      expect(String(thrown)).toContain("host/api");
    }
  });
});

function catchError(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
