import { useState } from "preact/hooks";

import { basicAuth, logIn } from "../api/credentials.ts";

import type { JSX } from "preact";

/** Asks for user and password of a server that was started with PREFECT_SERVER_API_AUTH_STRING. */
export function Login(): JSX.Element {
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<string>();

  async function submit(): Promise<void> {
    const authString = `${user}:${password}`;
    try {
      const { status } = await fetch("/api/admin/version", {
        headers: { authorization: basicAuth(authString) },
      });
      if (status === 200) logIn(authString);
      else setProblem(status === 401 ? "User or password is wrong." : `The server answered ${status}.`);
    } catch {
      setProblem("The server does not answer.");
    }
  }

  return (
    <main class="login">
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <h1>Log in</h1>
        <p class="muted">
          This server was started with <code>PREFECT_SERVER_API_AUTH_STRING</code>, as user:password.
        </p>
        <label>
          User
          <input
            autofocus
            required
            autocomplete="username"
            value={user}
            onInput={({ currentTarget }) => setUser(currentTarget.value)}
          />
        </label>
        <label>
          Password
          <input
            type="password"
            required
            autocomplete="current-password"
            value={password}
            onInput={({ currentTarget }) => setPassword(currentTarget.value)}
          />
        </label>
        {problem !== undefined && (
          <p class="error-note" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="button primary">
          Log in
        </button>
      </form>
    </main>
  );
}
