"""Mistakes with pictures: the network is right, and is shown something else than it learned from.

None of these raises an error, since every array here has the shape that is expected. See `minitl mistakes` for how the
functions are run. Read next: `freezing`.
"""

import numpy as np

from ... import data
from ...applications import inception_v3, vgg16
from .workbench import Outcome, accuracy, accuracy_of_transfer, clothes, fine_tuned

SHOWN = 100  # pictures that go through the base in these


def another_networks_preprocessing():
    """Symptom: In use nearly every picture is put into one class, though training and validation looked good. The
    accuracy is what guessing gives.

    Diagnosis: Every published network was trained on pixels in a form of its own. VGG16 and ResNet50 want blue, green,
    red minus a mean colour, from about -124 to 151; InceptionV3 wants red, green, blue from -1 to 1. Shown the second
    form, VGG16 sees a picture of one colour, a hundredth of the contrast that it knows. The check: print x.min() and
    x.max() of what goes into the network, when it learns and when it is used.

    Mend: Take `preprocess_input` from the module of the network that you use, in one function that training and
    prediction both call. A model saved by `minitl finetune --save` remembers which one it was, and `minitl predict`
    obeys.
    """
    model = fine_tuned()  # on pictures preprocessed for VGG16
    pictures, labels = clothes().x_test[:SHOWN], clothes().y_test[:SHOWN]

    x = inception_v3.preprocess_input(pictures)  # wrong
    wrong = accuracy(model, x, labels)

    x = vgg16.preprocess_input(pictures)  # mended
    mended = accuracy(model, x, labels)
    return Outcome("accuracy", wrong, mended)


def pixels_from_0_to_1():
    """Symptom: It learns without complaint, but far worse than others report for the same network and data.

    Diagnosis: The pixels were divided by 255 before `preprocess_input`, as one does for networks trained from scratch.
    The mean colour (104, 117, 124) is then taken from numbers below 1, and every picture is nearly black to VGG16: what
    tells two of them apart is 255 times weaker than its biases were made for. A feature varies from picture to picture
    by 3 % of its mean (by 100 % if prepared well), and a quarter of the features do not vary at all. The check: what
    goes into the network should run from about -124 to 151, and runs from -124 to -103.

    Mend: Give `preprocess_input` the pixels as they are in the file, 0 to 255, and divide by nothing. The engine warns
    when VGG16 with ImageNet's weights is shown such a batch.
    """
    x_train, y_train, x_test, y_test = (array[:SHOWN] for array in clothes()[:4])

    prepared = [vgg16.preprocess_input(x / 255) for x in (x_train, x_test)]  # wrong
    wrong = accuracy_of_transfer(prepared[0], y_train, prepared[1], y_test)

    prepared = [vgg16.preprocess_input(x) for x in (x_train, x_test)]  # mended
    mended = accuracy_of_transfer(prepared[0], y_train, prepared[1], y_test)
    return Outcome("accuracy", wrong, mended)


def red_and_blue_swapped():
    """Symptom: What is told by its colour is confused in use: ripe and unripe, red wine and white. In black and white
    pictures nothing is wrong.

    Diagnosis: Two libraries disagree about the order of the channels. Pillow, matplotlib and every `preprocess_input`
    say red, green, blue; OpenCV's `imread` gives blue, green, red. Shapes and ranges are the same, so nothing
    complains. Here the clothes are dyed, and the task is to sort them by colour. The check: show one picture, as the
    network gets it, with matplotlib. Faces are blue where the order is wrong.

    Mend: Turn the last axis around where OpenCV's pictures come in: image[..., ::-1]. `minitl.data.read_image` gives
    red, green, blue for every kind of file.
    """
    dyes = np.array([(255, 60, 60), (60, 255, 60), (60, 60, 255)], np.float32) / 255  # red, green, blue
    colours = np.arange(SHOWN) % 3
    x_train, x_test = (x[:SHOWN] * dyes[colours][:, None, None] for x in (clothes().x_train, clothes().x_test))
    model = fine_tuned(vgg16.preprocess_input(x_train), colours)

    from_opencv = x_test[..., ::-1]
    wrong = accuracy(model, vgg16.preprocess_input(from_opencv), colours)  # wrong
    mended = accuracy(model, vgg16.preprocess_input(from_opencv[..., ::-1]), colours)  # mended
    return Outcome("accuracy", wrong, mended)


def axes_reshaped():
    """Symptom: Pictures that came as (N, C, H, W) are recognised hardly better than by guessing, though they have the
    right shape now.

    Diagnosis: `reshape` never moves a number: it reads the same row of numbers with other line lengths. Read three
    times as densely, the red picture becomes the upper third of all channels, with three neighbours as the "colours" of
    one pixel, and the green and blue ones follow below. `transpose` moves axes. The check: show one picture. Nine small
    ones in a grid, or stripes, are a reshape.

    Mend: x.transpose(0, 2, 3, 1). Given (N, C, H, W) as it is, the engine refuses it and says this line.
    """
    model = fine_tuned()
    channels_first = clothes().x_test[:SHOWN].transpose(0, 3, 1, 2)  # as PyTorch has them: (N, C, H, W)
    labels = clothes().y_test[:SHOWN]

    x = channels_first.reshape(-1, 28, 28, 3)  # wrong
    wrong = accuracy(model, vgg16.preprocess_input(x), labels)

    x = channels_first.transpose(0, 2, 3, 1)  # mended
    mended = accuracy(model, vgg16.preprocess_input(x), labels)
    return Outcome("accuracy", wrong, mended)


def another_crop():
    """Symptom: In use the accuracy is ten or twenty points lower than it was measured. The pictures are of the same
    kind, sharp and upright.

    Diagnosis: A convolution finds its patterns wherever they lie, but at one size only. Pictures that were shown whole
    when the network learned, and are cut out narrower or squeezed into the square when it is used, show the same things
    larger, or thinner. Here a margin of four pixels is cut off before the rest is enlarged to the old size. The check:
    put a picture from training and one from use side by side, as the network gets them (Touvron et al. 2019).

    Mend: One function from file to array, for training and for use. `minitl.data.read_image` is that function: it keeps
    the proportions and cuts out the centre, and a saved model remembers how much of it (`crop`).
    """
    model = fine_tuned()  # on whole pictures
    pictures, labels = clothes().x_test[:SHOWN], clothes().y_test[:SHOWN]

    x = data.resize(pictures[:, 4:-4, 4:-4], 28, 28)  # wrong
    wrong = accuracy(model, vgg16.preprocess_input(x), labels)

    x = data.resize(pictures, 28, 28)  # mended
    mended = accuracy(model, vgg16.preprocess_input(x), labels)
    return Outcome("accuracy", wrong, mended)
