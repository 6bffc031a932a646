// One field of the form: the element that its schema asks for, its title with the unit, and what it may be.
import { useId, useState } from "preact/hooks";
import type { Dict, FormField, Json } from "./api";
import { size } from "./format";

interface Chosen {
  chosen: File | null;
  choose: (file: File | null) => void;
}
interface Props {
  field: FormField;
  value: Json;
  errors: string[];
  set: (value: Json, error?: string) => void;
  file?: Chosen;
}

export function isLeftOut(value: Json): boolean {
  return value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

export function Field({ field, value, errors, set, file }: Props) {
  const id = useId();
  const about = `${id}-about`;
  return (
    <div class={`field ${errors.length ? "is-wrong" : ""}`}>
      <label for={id}>
        {field.title} {field.isRequired && <b class="needed">required</b>}
      </label>
      <Input id={id} schema={field.schema} value={value} set={set} about={about} name={field.name} />
      {file && <Upload {...file} />}
      <p id={about} class="quiet">
        {[field.description, hint(field)].filter(Boolean).join(" ")}
      </p>
      {errors.map((line) => (
        <p key={line} class="bad" role="alert">
          {line}
        </p>
      ))}
    </div>
  );
}

function Upload({ chosen, choose }: Chosen) {
  return (
    <p class="upload">
      <label class="button">
        {chosen ? "Another file" : "Or a file of yours"}
        <input type="file" onChange={(event) => choose(event.currentTarget.files?.[0] ?? null)} />
      </label>
      {chosen && (
        <span>
          {" "}
          {chosen.name}, {size(chosen.size)}: it is sent when you launch.{" "}
          <button type="button" class="plain" onClick={() => choose(null)}>
            Leave it out
          </button>
        </span>
      )}
    </p>
  );
}

interface InputProps {
  id: string;
  schema: Dict;
  value: Json;
  set: (value: Json, error?: string) => void;
  about: string;
  name: string;
}

function Input(props: InputProps) {
  const { id, schema, value, set, about, name } = props;
  const kinds = kindsOf(schema);
  const given = { id, name, "aria-describedby": about };
  if (Array.isArray(schema["enum"])) return <Choice {...props} values={schema["enum"].filter((each) => each !== null)} />;
  if (kinds.length === 1) {
    switch (kinds[0]) {
      case "boolean":
        return <Choice {...props} values={[true, false]} />;
      case "integer":
      case "number":
        return (
          <input
            {...given}
            type="number"
            step={kinds[0] === "integer" ? 1 : "any"}
            min={numeric(schema["minimum"])}
            max={numeric(schema["maximum"])}
            value={value === null ? "" : String(value)}
            onInput={(event) => {
              const typed = event.currentTarget.value;
              set(typed === "" ? null : Number(typed), event.currentTarget.validity.badInput ? "is no number." : "");
            }}
          />
        );
      case "string":
        return <TextInput {...props} />;
      case "object":
        if (isPlain(schema["properties"])) return <Nested {...props} properties={schema["properties"]} />;
        break;
      case "array":
        if (isPlain(schema["items"]) && ["string", "integer", "number"].includes(kindsOf(schema["items"])[0] ?? ""))
          return <Lines {...props} items={schema["items"]} />;
    }
  }
  return kinds.includes("string") ? <TextInput {...props} mayBeJson /> : <JsonInput {...props} />;
}

function Choice({ id, name, about, value, set, values }: InputProps & { values: Json[] }) {
  const text = (each: Json) => (each === true ? "yes" : each === false ? "no" : String(each));
  return (
    <select
      id={id}
      name={name}
      aria-describedby={about}
      value={value === null ? "" : JSON.stringify(value)}
      onChange={(event) => set(event.currentTarget.value ? (JSON.parse(event.currentTarget.value) as Json) : null)}
    >
      <option value="">as the template has it</option>
      {values.map((each) => (
        <option key={JSON.stringify(each)} value={JSON.stringify(each)}>
          {text(each)}
        </option>
      ))}
    </select>
  );
}

/** A source may be written as an object or a list, too: what begins as one does is one. */
function TextInput({ id, name, about, schema, value, set, mayBeJson }: InputProps & { mayBeJson?: boolean }) {
  const shown = typeof value === "string" ? value : value === null ? "" : JSON.stringify(value);
  const changed = (typed: string) => {
    if (mayBeJson && /^\s*[[{]/.test(typed)) {
      try {
        return set(JSON.parse(typed) as Json);
      } catch {
        return set(typed, "begins as JSON does, and is none yet.");
      }
    }
    return set(typed === "" ? null : typed);
  };
  const given = { id, name, "aria-describedby": about, value: shown };
  const examples = Array.isArray(schema["examples"]) ? schema["examples"].filter((each) => typeof each === "string") : [];
  if (schema["format"] === "multiline" || shown.includes("\n"))
    return <textarea {...given} rows={5} onInput={(event) => changed(event.currentTarget.value)} />;
  return (
    <>
      <input
        {...given}
        type="text"
        list={examples.length ? `${id}-examples` : undefined}
        placeholder={examples[0]}
        onInput={(event) => changed(event.currentTarget.value)}
      />
      {examples.length > 0 && (
        <datalist id={`${id}-examples`}>
          {examples.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </>
  );
}

function Lines({ id, name, about, value, set, items }: InputProps & { items: Dict }) {
  const isText = kindsOf(items)[0] === "string";
  const [typed, setTyped] = useState(Array.isArray(value) ? value.join("\n") : "");
  return (
    <textarea
      id={id}
      name={name}
      aria-describedby={about}
      rows={Math.min(8, Math.max(2, typed.split("\n").length))}
      placeholder="one in each line"
      value={typed}
      onInput={(event) => {
        setTyped(event.currentTarget.value);
        const lines = event.currentTarget.value.split("\n").filter((line) => line.trim());
        const wrong = !isText && lines.some((line) => Number.isNaN(Number(line)));
        set(lines.length ? (isText || wrong ? lines : lines.map(Number)) : null, wrong ? "holds what is no number." : "");
      }}
    />
  );
}

/** An object inside a list, or one that no form takes apart: its properties as fields of their own. */
function Nested({ id, name, value, set, properties }: InputProps & { properties: Dict }) {
  const held = isPlain(value) ? value : {};
  return (
    <fieldset class="group" id={id}>
      {Object.entries(properties).map(([key, each]) => {
        const schema = isPlain(each) ? each : {};
        const title = typeof schema["title"] === "string" ? schema["title"] : key;
        const field = { name: `${name}.${key}`, path: [], title, description: "", section: "", isRequired: false, default: null, schema };
        const change = (inner: Json, error?: string) => {
          const next: Dict = { ...held, [key]: inner };
          if (inner === null) delete next[key];
          set(Object.keys(next).length ? next : null, error);
        };
        return <Field key={key} field={field} value={held[key] ?? null} errors={[]} set={change} />;
      })}
    </fieldset>
  );
}

function JsonInput({ id, name, about, value, set }: InputProps) {
  const [typed, setTyped] = useState(value === null ? "" : JSON.stringify(value, null, 1));
  return (
    <textarea
      id={id}
      name={name}
      aria-describedby={about}
      class="mono"
      rows={Math.min(10, Math.max(2, typed.split("\n").length))}
      placeholder="JSON"
      value={typed}
      onInput={(event) => {
        const text = event.currentTarget.value;
        setTyped(text);
        try {
          set(text.trim() ? (JSON.parse(text) as Json) : null);
        } catch {
          set(text, "is no JSON yet.");
        }
      }}
    />
  );
}

/** What a value may be, in words: the schema's limits, and what is taken when nothing is given. */
function hint({ schema, default: proposed }: FormField): string {
  const [low, high] = [schema["minimum"] ?? schema["exclusiveMinimum"], schema["maximum"] ?? schema["exclusiveMaximum"]];
  const said: string[] = [];
  if (low !== undefined && high !== undefined) said.push(`${low} to ${high}.`);
  else if (low !== undefined) said.push(`${schema["minimum"] === undefined ? "More than" : "At least"} ${low}.`);
  else if (high !== undefined) said.push(`${schema["maximum"] === undefined ? "Less than" : "At most"} ${high}.`);
  if (schema["pattern"] !== undefined) said.push(`Matches ${String(schema["pattern"])}.`);
  if (proposed !== null && typeof proposed !== "object") said.push(`Default: ${String(proposed)}.`);
  return said.join(" ");
}

function kindsOf(schema: Dict): string[] {
  const type = schema["type"];
  const kinds = Array.isArray(type) ? type.map(String) : typeof type === "string" ? [type] : [];
  return kinds.filter((kind) => kind !== "null");
}

function isPlain(value: Json | undefined): value is Dict {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numeric(value: Json | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}
