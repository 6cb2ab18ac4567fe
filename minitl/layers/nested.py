"""Values in lists, tuples and dicts, which may be nested: the arguments and results of a `call` (`composed`)."""


def flat(value):
    """Yield what is in nested lists, tuples and dicts; a single thing as itself."""
    if isinstance(value, (list, tuple, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from flat(each)
    else:
        yield value


def mapped(function, value):
    """Return nested lists, tuples and dicts with function(thing) in the place of each thing."""
    if isinstance(value, dict):
        return {name: mapped(function, each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(function, each) for each in value)
    return function(value)


def mapped_shapes(function, value):
    """Return nested lists and dicts with function(shape) in the place of each shape, which is itself a tuple or list of
    numbers and None."""
    if isinstance(value, dict):
        return {name: mapped_shapes(function, each) for name, each in value.items()}
    if any(isinstance(each, (list, tuple, dict)) for each in value):
        return [mapped_shapes(function, each) for each in value]
    return function(tuple(value))
