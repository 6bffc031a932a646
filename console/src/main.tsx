// The console: jobs, chunks and files of Triptych, inside Airflow's pages or alone.
import "./style.css";
import { render } from "preact";
import { JobView } from "./job";
import { Jobs } from "./jobs";
import { Launch } from "./launch";
import { useRoute } from "./route";

function Console() {
  const { parts, query } = useRoute();
  const [view, id, ...rest] = parts;
  if (view === "launch") return <Launch key={id} template={id ?? ""} from={query.get("from") ?? ""} />;
  if (view === "jobs" && id) return <JobView key={id} id={id} rest={rest} />;
  return <Jobs query={query} />;
}

/** As Airflow's page around us is, light or dark, else as the system. */
function followTheme(): void {
  const page = parentPage();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const set = () => {
    const isDark = page ? page.classList.contains("dark") : dark.matches;
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
  };
  set();
  dark.addEventListener("change", set);
  if (page) new MutationObserver(set).observe(page, { attributeFilter: ["class"] });
}

function parentPage(): HTMLElement | null {
  try {
    return parent === window ? null : parent.document.documentElement;
  } catch {
    return null;
  }
}

followTheme();
const root = document.getElementById("console")!;
root.textContent = "";
render(<Console />, root);
