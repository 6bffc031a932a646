// The launch form: a template's fields as its blocks' schemas describe them.
import { useMemo, useState } from "preact/hooks";
import { ask, jobPath, own, upload, type Dict, type Form, type FormField, type Job, type Json } from "./api";
import { Field, isLeftOut } from "./fields";
import { Fault, useLoaded } from "./parts";
import { to } from "./route";

interface Template {
  id: string;
  description: string;
}

export function Launch({ template, from }: { template: string; from: string }) {
  const templates = useLoaded(() => ask<{ data: Template[] }>("customer/jobs/templates?limit=100"), []);
  return (
    <main>
      <p class="trail">
        <a href={to("jobs")}>Jobs</a> / launch
      </p>
      <header class="head">
        <h1>Launch a job</h1>
      </header>
      <Fault error={templates.error} />
      <div class="filters">
        <label>
          Template
          <select
            value={template}
            onChange={(event) => {
              location.hash = event.currentTarget.value ? to("launch", event.currentTarget.value) : to("launch");
            }}
          >
            <option value="">choose one</option>
            {templates.value?.data.map(({ id }) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
        </label>
      </div>
      {!template && templates.value && (
        <ul class="choices">
          {templates.value.data.map(({ id, description }) => (
            <li key={id}>
              <a href={to("launch", id)}>{id}</a> <span class="quiet">{description}</span>
            </li>
          ))}
        </ul>
      )}
      {template && <Fields key={`${template} ${from}`} template={template} from={from} />}
    </main>
  );
}

function Fields({ template, from }: { template: string; from: string }) {
  const form = useLoaded(async () => {
    const found = await ask<Form>(`customer/jobs/templates/${encodeURIComponent(template)}/form`);
    return { form: found, given: from ? (await ask<{ conf: Dict }>(jobPath(from, "given"))).conf : {} };
  }, [template, from]);
  if (form.error) return <Fault error={form.error} />;
  if (!form.value) return <p class="quiet">Looking ...</p>;
  return <Filled form={form.value.form} given={form.value.given} />;
}

export type Values = { [name: string]: Json };
/** Chosen in place of a location, by the name of its field. */
type Files = { [name: string]: File };

function Filled({ form, given }: { form: Form; given: Dict }) {
  const start = useMemo(() => Object.fromEntries(form.fields.map((each) => [each.name, startOf(each, given)])), [form]);
  const [values, setValues] = useState<Values>(start);
  const [broken, setBroken] = useState<{ [name: string]: string }>({});
  const [files, setFiles] = useState<Files>({});
  const [errors, setErrors] = useState<string[]>([]);
  const [busy, setBusy] = useState("");
  const set = (name: string, value: Json, error = "") => {
    setValues((before) => ({ ...before, [name]: value }));
    setBroken((before) => ({ ...before, [name]: error }));
  };
  const choose = (name: string, file: File | null) => {
    setFiles(({ [name]: _, ...others }) => (file ? { ...others, [name]: file } : others));
  };
  const sections = [...new Set(form.fields.map((each) => each.section))];
  const errorsOf = (field: FormField) => errors.filter((line) => line.startsWith(`${field.path.join(".")}:`) || line.startsWith(`${field.path.join(".")}.`));
  const others = errors.filter((line) => !form.fields.some((each) => errorsOf(each).includes(line)));

  const launch = async (event: Event) => {
    event.preventDefault();
    const wrong = form.fields.filter((each) => broken[each.name]).map((each) => `${each.path.join(".")}: ${broken[each.name]}`);
    const missing = form.fields
      .filter((each) => each.isRequired && isLeftOut(values[each.name]!) && !files[each.name])
      .map((each) => `${each.path.join(".")}: is missing.`);
    setErrors([...wrong, ...missing]);
    if (wrong.length || missing.length) return;
    let draft = "";
    try {
      setBusy("Checking");
      draft = await drafted(form, values, files, setBusy);
      setBusy("Launching");
      await ask(jobPath(draft, "run"), "POST", {});
      location.hash = to("jobs", `${form.templateId}~${draft}`);
    } catch (error) {
      if (draft) await ask(jobPath(draft), "DELETE").catch(() => undefined);
      setErrors((error as Error).message.split("\n"));
      setBusy("");
    }
  };
  return (
    <form class="launch" onSubmit={launch} noValidate>
      {form.description && <p>{form.description}</p>}
      {form.isPaused && <p class="quiet">The DAG is paused: launching starts it, unless it has a schedule.</p>}
      {sections.map((section) => {
        const fields = form.fields.filter((each) => each.section === section);
        const inside = groups(fields).map(([group, members]) => {
          const shown = members.map((each) => (
            <Field
              key={each.name}
              field={group ? { ...each, title: shortTitle(each.title, group) } : each}
              value={values[each.name] ?? null}
              errors={[...errorsOf(each), ...(broken[each.name] ? [broken[each.name]!] : [])]}
              set={(value, error) => set(each.name, value, error)}
              file={isRead(each) ? { chosen: files[each.name] ?? null, choose: (file) => choose(each.name, file) } : undefined}
            />
          ));
          return group ? (
            <fieldset key={group} class="group">
              <legend>{group}</legend>
              {shown}
            </fieldset>
          ) : (
            shown
          );
        });
        if (!section) return <div key={section}>{inside}</div>;
        const isOpen = fields.some((each) => errorsOf(each).length > 0);
        return (
          <details key={section} open={isOpen || section === "App"}>
            <summary>{section}</summary>
            {inside}
          </details>
        );
      })}
      <Fault error={others.join("\n")} />
      <p>
        <button type="submit" class="primary" disabled={!!busy}>
          Launch
        </button>{" "}
        <span class="quiet">{busy && `${busy} ...`}</span>
      </p>
    </form>
  );
}

/** What a job of before was given comes first, else what the form proposes. */
function startOf(field: FormField, given: Dict): Json {
  if (given[field.name] !== undefined) return given[field.name]!;
  let value: Json | undefined = given;
  for (const key of field.path) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return field.default;
    value = value[key];
    if (value === undefined) return field.default;
  }
  return value ?? null;
}

/** Fields of one object of the schema, which come together: the part of their titles before the colon names it. */
function groups(fields: FormField[]): [string, FormField[]][] {
  const found: [string, FormField[]][] = [];
  for (const field of fields) {
    const isNested = field.path[0] === "params" && field.path.length > 3;
    const group = isNested ? field.title.slice(0, Math.max(0, field.title.indexOf(": "))) : "";
    const before = found.at(-1);
    if (before && before[0] === group) before[1].push(field);
    else found.push([group, [field]]);
  }
  return found;
}

function shortTitle(title: string, group: string): string {
  const short = title.slice(group.length + 2);
  return short.slice(0, 1).toUpperCase() + short.slice(1);
}

/** Whether the job reads what lies at this field's location. */
function isRead(field: FormField): boolean {
  return field.path[0] === "dataSource" || field.path[0] === "inputs";
}

/** A draft of what differs from the template, with the files that were chosen sent for it; the draft's id. */
async function drafted(form: Form, values: Values, files: Files, told: (text: string) => void): Promise<string> {
  const send = (address: string, file: File) =>
    upload(own(address), file, (share) => told(`Sending ${file.name}: ${Math.round(100 * share)}%`));
  const body: Dict = { templateId: form.templateId };
  for (const field of form.fields) {
    const value = values[field.name] ?? null;
    const isPlace = !["params", "config"].includes(field.path[0]!);
    if (isLeftOut(value) || (!isPlace && same(value, field.default) && !field.isRequired)) continue;
    put(body, field.path, value);
  }
  const { dataSource: source, ...inputs } = files;
  for (const field of form.fields.filter((each) => inputs[each.name])) {
    const file = inputs[field.name]!;
    const wanted = { templateId: form.templateId, name: file.name };
    const { tempUrl, path } = await ask<{ tempUrl: string; path: string }>("customer/uploads", "POST", wanted);
    await send(tempUrl, file);
    put(body, field.path, path);
  }
  if (source) body["dataSource"] = { dataSourceDescriptor: "file", params: { name: source.name } };
  const { job } = await ask<{ job: Job }>("customer/jobs", "POST", body);
  if (source) await send((job.dataSource as { params: { tempUrl: string } }).params.tempUrl, source);
  return job.id;
}

function put(into: Dict, path: string[], value: Json): void {
  let at = into;
  for (const key of path.slice(0, -1)) at = (at[key] ??= {}) as Dict;
  at[path.at(-1)!] = value;
}

function same(one: Json, other: Json): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
