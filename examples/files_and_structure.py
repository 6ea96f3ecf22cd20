"""Write a model to files that other tools read, read it back, and look at its structure."""

import tempfile
from pathlib import Path

import numpy as np

from mdptheory import Discounted, io
from mdptheory.environments import gamblers_ruin, riverswim
from mdptheory.structure import analyse, graph


def main() -> None:
    """Print what survives the round trip and what the graph looks like."""
    mdp = riverswim()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("river.npz", "river.csv", "river.tra"):
            path = Path(folder) / name
            io.write(mdp, path)
            again = io.read(path, objective=Discounted(mdp.gamma))
            same = np.array_equal(again.prob, mdp.prob)
            print(f"{name:<10} {path.stat().st_size:>6} bytes, same probabilities: {same}")

    river = analyse(mdp)
    print(f"river: communicating {river.communicating}, diameter {river.diameter} steps")
    ruin = analyse(gamblers_ruin())
    print(f"casino: {ruin.n_components} components, {int(ruin.closed.sum())} of them closed")
    network = graph(mdp)
    print(f"as a networkx graph: {len(network.nodes)} nodes, {len(network.edges)} edges")


if __name__ == "__main__":
    main()
