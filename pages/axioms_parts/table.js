// A table of methods and axioms; every cell is a button, the arrow keys go from one to another.

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function header(text, scope) {
  const cell = document.createElement("th");
  cell.scope = scope;
  cell.textContent = text;
  return cell;
}

// The table without what may change in its cells.
function build(place, data) {
  const table = document.createElement("table");
  const top = table.createTHead().insertRow();
  top.append(document.createElement("td"), ...data.columns.map((title) => header(title, "col")));
  const body = table.createTBody();
  const grid = data.rows.map((row) => {
    const line = body.insertRow();
    line.append(header(row.title, "row"));
    return row.cells.map((cell) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.key = cell.key;
      line.insertCell().append(button);
      return button;
    });
  });
  place.replaceChildren(table);
  place.grid = grid;
}

function fill(button, cell, column) {
  const [axiom, verdict, note, mark] = ["span", "span", "span", "b"].map(
    (tag) => document.createElement(tag));
  axiom.className = "axiom"; // seen where there is no room for columns
  axiom.textContent = column;
  mark.textContent = cell.holds ? "✓" : "✗";
  verdict.append(mark, cell.verdict);
  note.className = "note";
  note.textContent = cell.note;
  button.className = cell.holds ? "holds" : "violated";
  button.setAttribute("aria-label", cell.label);
  button.replaceChildren(axiom, verdict, note);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector(".axioms");
  const shape = JSON.stringify([data.columns, data.rows.map((row) => row.title)]);
  if (place.shape !== shape) {
    build(place, data);
    place.shape = shape;
  }
  place.style.setProperty("--holds", data.colours.holds);
  place.style.setProperty("--violated", data.colours.violated);
  const buttons = place.grid.flat();
  const mark = (chosen) => {
    for (const button of buttons) {
      const isChosen = button.dataset.key === chosen;
      button.setAttribute("aria-pressed", isChosen);
      button.tabIndex = isChosen ? 0 : -1;
    }
  };
  place.grid.forEach((line, row) => line.forEach((button, column) => {
    fill(button, data.rows[row].cells[column], data.columns[column]);
    button.onclick = () => {
      mark(button.dataset.key);
      setTriggerValue("picked", button.dataset.key);
    };
    button.onkeydown = (event) => {
      const [down, right] = ARROWS[event.key] ?? [0, 0];
      const next = place.grid[row + down]?.[column + right];
      if (next && next !== button) {
        event.preventDefault();
        next.focus();
      }
    };
  }));
  mark(data.chosen);
}
