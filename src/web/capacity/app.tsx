/** The page: what is asked on the left, what it takes on the right. The address holds it all. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { exampleLoads, LoadError, parseLoad } from "../../capacity/load.ts";
import { type Plan, planFor } from "../../capacity/plan.ts";
import { leftOut } from "../../capacity/words.ts";
import { LoadForm } from "./load-form.tsx";
import { Results } from "./results.tsx";
import { Sources } from "./sources.tsx";

type Texts = Readonly<Record<string, string>>;

interface Worked {
  plan: Plan | null;
  /** Why there is none. */
  complaint: string | null;
}

function work(texts: Texts): Worked {
  try {
    return { plan: planFor(parseLoad(texts)), complaint: null };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return { plan: null, complaint: error.message };
  }
}

function textsOfAddress(): Texts {
  return Object.fromEntries(new URLSearchParams(location.search));
}

/** The address of this page with these texts. */
function addressOf(texts: Texts): string {
  const query = new URLSearchParams(texts).toString();
  return query === "" ? location.pathname : `?${query}`;
}

function Examples({ onTexts }: { onTexts: (texts: Texts) => void }) {
  return (
    <p class="examples">
      <span>As large as</span>
      {Object.entries(exampleLoads).map(([name, texts]) => (
        <a
          key={name}
          href={addressOf(texts)}
          onClick={(event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            onTexts(texts);
          }}
        >
          {name}
        </a>
      ))}
    </p>
  );
}

export function App() {
  const [texts, setTexts] = useState(textsOfAddress);
  const { plan, complaint } = useMemo(() => work(texts), [texts]);
  useEffect(() => history.replaceState(null, "", addressOf(texts)), [texts]);
  useEffect(() => {
    const onBack = () => setTexts(textsOfAddress());
    addEventListener("popstate", onBack);
    return () => removeEventListener("popstate", onBack);
  }, []);
  const onText = (name: string, text: string) => {
    const { [name]: _, ...others } = texts;
    setTexts(text === "" ? others : { ...others, [name]: text });
  };
  return (
    <>
      <header>
        <h1>What a load takes</h1>
        <p>
          Cores, memory, disk and cost in each of the four steps, from figures that were measured.
          Everything is worked out in this page; its address holds what was entered.
        </p>
        <Examples onTexts={setTexts} />
      </header>
      <div class="columns">
        <LoadForm texts={texts} load={plan?.load ?? null} onText={onText} />
        <div>
          <p role="alert" id="complaint">
            {complaint}
          </p>
          {plan !== null && <Results plan={plan} />}
        </div>
      </div>
      <section class="card" aria-labelledby="left-out">
        <h2 id="left-out">What this leaves out</h2>
        <ul>
          {leftOut.map((what) => (
            <li key={what}>{what}</li>
          ))}
        </ul>
      </section>
      <Sources />
    </>
  );
}
