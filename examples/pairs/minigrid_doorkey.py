"""MiniGrid's DoorKey against Navix's: a world of whole numbers, and what the released versions do apart.

``pip install minigrid navix``, then ``envparity check examples.pairs.minigrid_doorkey:pair``.
"""

import gymnasium
import jax.numpy as jnp
import navix
import numpy as np
from minigrid.core.grid import Grid  # the import makes its environments known to Gymnasium
from minigrid.core.world_object import Door, Goal, Key
from minigrid.wrappers import FullyObsWrapper

from parity import Accepted, Pair, Port, Program, Reference, integer

SIZE = 6
LAST = SIZE - 2
KEY, EMPTY = 3, -1  # what Navix has in a pocket
FIELDS = ("row", "col", "direction", "carries", "key_row", "key_col", "door_row", "door_col", "open")


class Rows(gymnasium.ObservationWrapper):
    """The whole picture, rows first, as Navix has it."""

    def __init__(self, env):
        super().__init__(FullyObsWrapper(env))
        self.observation_space = gymnasium.spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8)

    def observation(self, observation):
        """Return the picture alone."""
        return observation["image"].swapaxes(0, 1)


def make():
    """Return MiniGrid's environment."""
    return Rows(gymnasium.make(f"MiniGrid-DoorKey-{SIZE}x{SIZE}-v0"))


def read(env):
    """Return where everything is; a key that is carried is at (0, 0)."""
    things = {type(env.grid.get(x, y)): (x, y) for x in range(SIZE) for y in range(SIZE)}
    key, door = things.get(Key, (0, 0)), things[Door]
    state = env.grid.get(*door)
    return {
        "row": np.int64(env.agent_pos[1]),
        "col": np.int64(env.agent_pos[0]),
        "direction": np.int64(env.agent_dir),
        "carries": env.carrying is not None,
        "key_row": key[1],
        "key_col": key[0],
        "door_row": door[1],
        "door_col": door[0],
        "open": state.is_open,
        "locked": state.is_locked,
        "time": env.step_count,
    }


def write(env, state):
    """Build the world anew."""
    env.grid = Grid(SIZE, SIZE)
    env.grid.wall_rect(0, 0, SIZE, SIZE)
    env.grid.vert_wall(int(state["door_col"]), 0)
    env.put_obj(Goal(), LAST, LAST)
    door = Door("yellow", is_open=bool(state["open"]), is_locked=bool(state["locked"]))
    env.put_obj(door, int(state["door_col"]), int(state["door_row"]))
    env.carrying = Key("yellow") if state["carries"] else None
    if not state["carries"]:
        env.put_obj(Key("yellow"), int(state["key_col"]), int(state["key_row"]))
    env.agent_pos = (int(state["col"]), int(state["row"]))
    env.agent_dir, env.step_count = int(state["direction"]), int(state["time"])


def read_navix(timestep):
    """Return the same of Navix's state."""
    player, key, door = (timestep.state.entities[name] for name in ("player", "key", "door"))
    carries = player.pocket[0] != EMPTY
    away = key.position[0, 1] < 0  # the pile of what is no longer in the world
    return {
        "row": player.position[0, 0],
        "col": player.position[0, 1],
        "direction": player.direction[0],
        "carries": carries,
        "key_row": jnp.where(away, 0, key.position[0, 0]),
        "key_col": jnp.where(away, 0, key.position[0, 1]),
        "door_row": door.position[0, 0],
        "door_col": door.position[0, 1],
        "open": door.open[0],
        "locked": door.requires[0] != EMPTY,
        "time": timestep.t,
    }


def write_navix(timestep, state):
    """Put Navix in the same state."""
    entities = dict(timestep.state.entities)
    place = jnp.stack([state["row"], state["col"]])[None]
    pocket = jnp.where(state["carries"], KEY, EMPTY)[None]
    entities["player"] = entities["player"].replace(
        position=place, direction=state["direction"][None], pocket=pocket
    )
    lies = jnp.stack([state["key_row"], state["key_col"]])
    pile = navix.components.DISCARD_PILE_COORDS
    entities["key"] = entities["key"].replace(position=jnp.where(state["carries"], pile, lies)[None])
    entities["door"] = entities["door"].replace(
        position=jnp.stack([state["door_row"], state["door_col"]])[None],
        open=state["open"][None],
        requires=jnp.where(state["locked"], KEY, EMPTY)[None],
    )
    rows = jnp.arange(1, LAST)
    rows = rows + (rows >= state["door_row"])
    walls = jnp.stack([rows, jnp.full_like(rows, state["door_col"])], axis=1)
    entities["wall"] = entities["wall"].replace(position=walls)
    return timestep.replace(t=state["time"], state=timestep.state.replace(entities=entities))


def navix_program():
    """Return Navix's environment as pure functions; its own step restarts in the step after an end."""
    env = navix.make(f"Navix-DoorKey-{SIZE}x{SIZE}-v0")

    def reset(key):
        timestep = env.reset(key)
        return timestep.observation, timestep

    def step(key, timestep, action):
        new = env._step(timestep, action)
        ends = new.is_termination(), new.is_truncation()
        return new.observation, new, new.reward, *ends, {}

    return Program(reset, step, None, gymnasium.spaces.Discrete(7), make().observation_space)


def possible(state):
    """Return which worlds can come to be."""
    row, col, door = state["row"], state["col"], state["door_col"]
    on_door = (row == state["door_row"]) & (col == door)
    key = (
        ~state["carries"] & (state["key_col"] != door) & (state["key_row"] > 0) & (state["key_col"] > 0)
    )
    key &= ~((state["key_row"] == row) & (state["key_col"] == col))
    key &= ~((state["key_row"] == LAST) & (state["key_col"] == LAST))
    away = state["carries"] & (state["key_row"] == 0) & (state["key_col"] == 0)
    inside = np.where(col == door, on_door & state["open"], True)
    shut = ~state["locked"] | (
        ~state["open"] & (col < door) & (state["carries"] | (state["key_col"] < door))
    )
    return inside & shut & (key | away) & ~((row == LAST) & (col == LAST))


def faces(state, row, col):
    """Return where the player looks at a place from the one before it."""
    down, right = np.array([0, 1, 0, -1]), np.array([1, 0, -1, 0])
    ahead = state["row"] + down[state["direction"]], state["col"] + right[state["direction"]]
    return (ahead[0] == row) & (ahead[1] == col)


def faces_door(state):
    """Return where the player looks at the door."""
    return faces(state, state["door_row"], state["door_col"])


DIFFERENCES = (
    Accepted(
        ("truncated",),
        "navix.make ends an episode after 100 steps unless it is told otherwise, MiniGrid after 10 x size^2",
        where=lambda before, action, after: before["time"] >= 99,
    ),
    Accepted(
        ("reward",),
        "Navix pays 1 at the goal, MiniGrid less the longer it took (1 - 0.9 x steps / limit)",
        where=lambda before, action, after: after["terminated"],
    ),
    Accepted(
        ("obs",),
        "Navix draws a key that is carried into the upper right corner: its pile is at (0, -1)",
        where=lambda before, action, after: before["carries"],
    ),
    Accepted(
        ("obs",),
        "the same, in the step that picks the key up",
        where=lambda before, action, after: after["carries"],
    ),
    Accepted(
        ("carries",),
        "in Navix a key that is dropped lies in the world and stays in the pocket, too",
        where=lambda before, action, after: before["carries"] & (action["action"] == 4),
    ),
    Accepted(
        ("key_row", "key_col"),
        "Navix drops a key into an open door or onto the goal, MiniGrid into an empty cell alone",
        where=lambda before, action, after: (
            before["carries"]
            & (action["action"] == 4)
            & (faces_door(before) | faces(before, LAST, LAST))
        ),
    ),
    Accepted(
        ("open", "obs"),
        "MiniGrid closes an open door that is toggled, Navix leaves it open",
        where=lambda before, action, after: (
            before["open"] & (action["action"] == 5) & faces_door(before)
        ),
    ),
    Accepted(
        "reset distribution",
        "Navix begins at (1, 1), looking right, and its door may be in the last row",
    ),
)

pair = Pair(
    name="DoorKey 6x6, MiniGrid and Navix",
    reference=Reference.gymnasium(make, read, write, time=None, language="MiniGrid"),
    port=Port.functional(navix_program, read_navix, write_navix, language="Navix"),
    state={
        "row": integer(1, LAST),
        "col": integer(1, LAST),
        "direction": integer(0, 3),
        "carries": integer(0, 1),
        "key_row": integer(0, LAST),
        "key_col": integer(0, LAST),
        "door_row": integer(1, LAST - 1),
        "door_col": integer(2, LAST - 1),
        "open": integer(0, 1),
        "locked": integer(0, 1),
        "time": integer(0, 359),
    },
    possible=possible,
    accepted=DIFFERENCES,
)
