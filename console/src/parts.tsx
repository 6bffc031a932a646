// What every view is made of.
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { stateWord } from "./format";

export function State({ state }: { state: string }) {
  const word = stateWord(state);
  return <span class={`state is-${word}`}>{word}</span>;
}

export function Fault({ error }: { error: string }) {
  return error ? (
    <pre class="fault" role="alert">
      {error}
    </pre>
  ) : null;
}

/** Asks once before it does what it says: windows that ask are forbidden in Airflow's frame. */
export function Careful(props: { label: string; sure: string; act: () => void; off?: boolean; title?: string }) {
  const [asked, ask] = useState(false);
  if (!asked)
    return (
      <button type="button" disabled={props.off} title={props.title} onClick={() => ask(true)}>
        {props.label}
      </button>
    );
  return (
    <span class="asked">
      {props.sure}{" "}
      <button
        type="button"
        class="danger"
        onClick={() => {
          ask(false);
          props.act();
        }}
      >
        Yes
      </button>{" "}
      <button type="button" onClick={() => ask(false)}>
        No
      </button>
    </span>
  );
}

export function Facts({ facts }: { facts: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== "" && value !== null && value !== undefined)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

export function Tabs({ tabs, now, href }: { tabs: string[]; now: string; href: (tab: string) => string }) {
  return (
    <nav class="tabs">
      {tabs.map((tab) => (
        <a key={tab} href={href(tab)} aria-current={tab === now ? "page" : undefined}>
          {tab}
        </a>
      ))}
    </nav>
  );
}

export interface Loaded<T> {
  value: T | null;
  error: string;
  again: () => void;
}

/** What `load` gives, again whenever `keys` are others, and every `everyMs` where that is no zero. */
export function useLoaded<T>(load: () => Promise<T>, keys: unknown[], everyMs = 0): Loaded<T> {
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState("");
  const turn = useRef(0);
  const waiting = useRef(0);
  const newest = useRef(load);
  newest.current = load;
  const again = useCallback(() => {
    const mine = ++turn.current;
    waiting.current++;
    const asked = newest.current();
    asked.catch(() => undefined).then(() => waiting.current--);
    asked.then(
      (found) => {
        if (mine !== turn.current) return;
        setValue(found);
        setError("");
      },
      (failure: Error) => {
        if (mine === turn.current) setError(failure.message);
      },
    );
  }, []);
  useEffect(() => {
    setValue(null);
    again();
    return () => {
      turn.current++;
    };
  }, keys);
  useEffect(() => {
    if (!everyMs) return;
    const timer = setInterval(() => {
      // Not while an answer is waited for: a slow server is not asked the faster.
      if (!document.hidden && waiting.current === 0) again();
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs, ...keys]);
  return { value, error, again };
}
