"""Mistakes with images: the network is right, and gets other inputs than in its training.

None of these raises an error, because every array here has the expected shape. `minitl mistakes` runs the functions.
Read next: `freezing`.
"""

import numpy as np

from ... import data
from ...applications import inception_v3, vgg16
from .workbench import Outcome, accuracy, accuracy_of_transfer, clothes, fine_tuned

SHOWN = 100  # images that go through the base


def another_networks_preprocessing():
    """Symptom: In use nearly every image is put into one class, though training and validation looked good. The
    accuracy is that of guessing.

    Diagnosis: Every published network was trained on pixels in a form of its own. VGG16 and ResNet50 take blue, green,
    red minus a mean colour, from about -124 to 151. InceptionV3 takes red, green, blue from -1 to 1. For VGG16, an
    image in the second form has nearly one colour: a hundredth of the usual contrast. The check: print x.min() and
    x.max() of the network's input, in training and in use.

    Mend: Take `preprocess_input` from the module of your network, in one function that training and prediction both
    call. A model saved by `minitl finetune --save` remembers its preprocessing, and `minitl predict` uses it.
    """
    model = fine_tuned()  # on images preprocessed for VGG16
    images, labels = clothes().x_test[:SHOWN], clothes().y_test[:SHOWN]

    x = inception_v3.preprocess_input(images)  # wrong
    wrong = accuracy(model, x, labels)

    x = vgg16.preprocess_input(images)  # mended
    mended = accuracy(model, x, labels)
    return Outcome("accuracy", wrong, mended)


def pixels_from_0_to_1():
    """Symptom: Training runs without an error, but the accuracy is far below the one that others report for the same
    network and data.

    Diagnosis: The pixels were divided by 255 before `preprocess_input`, as is usual for networks trained from scratch.
    The mean colour (104, 117, 124) is then subtracted from numbers below 1, and every image is nearly black to VGG16.
    The differences between images are 255 times smaller than in its training. From image to image, a feature varies by
    3 % of its mean (by 100 % if prepared well), and a quarter of the features do not vary at all. The check: the
    network's input should lie between about -124 and 151. Here it lies between -124 and -103.

    Mend: Give `preprocess_input` the pixels as they are in the file, 0 to 255, without dividing them. The engine warns
    when VGG16 with ImageNet's weights gets such a batch.
    """
    x_train, y_train, x_test, y_test = (array[:SHOWN] for array in clothes()[:4])

    prepared = [vgg16.preprocess_input(x / 255) for x in (x_train, x_test)]  # wrong
    wrong = accuracy_of_transfer(prepared[0], y_train, prepared[1], y_test)

    prepared = [vgg16.preprocess_input(x) for x in (x_train, x_test)]  # mended
    mended = accuracy_of_transfer(prepared[0], y_train, prepared[1], y_test)
    return Outcome("accuracy", wrong, mended)


def red_and_blue_swapped():
    """Symptom: In use, classes that differ by colour are confused: ripe and unripe, red wine and white. Black and white
    images are classified well.

    Diagnosis: Two libraries order the channels differently. Pillow, matplotlib and every `preprocess_input` use red,
    green, blue. OpenCV's `imread` gives blue, green, red. Shapes and ranges are the same, so no error is raised. Here
    the clothes are coloured, and the task is to classify the colour. The check: show one image, as the network gets it,
    with matplotlib. Faces are blue where the order is wrong.

    Mend: Reverse the last axis of images read by OpenCV: image[..., ::-1]. `minitl.data.read_image` returns red, green,
    blue for every kind of file.
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
    """Symptom: Images that were (N, C, H, W) have been brought to (N, H, W, C), and the accuracy is hardly better than
    that of guessing.

    Diagnosis: `reshape` never moves a number. It divides the same row of numbers into other axes. So the red channel
    becomes the upper third of the new image, with three neighbouring pixels as the "colours" of one pixel, and the
    green and blue channels follow below. `transpose` moves axes. The check: show one image. After a reshape it consists
    of nine small ones in a grid, or of stripes.

    Mend: x.transpose(0, 2, 3, 1). The engine refuses an array (N, C, H, W), and its message contains this line.
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
    """Symptom: In use the accuracy is ten or twenty points lower than it was measured. The images are of the same kind,
    sharp and upright.

    Diagnosis: A convolution finds its patterns at any place, but at one size only. In training the images were whole.
    In use they are cropped or squeezed into a square, so that the same things are larger or thinner. Here a margin of
    four pixels is cut off, and the rest is enlarged to the old size. The check: put an image from training and one from
    use side by side, as the network gets them (Touvron et al. 2019).

    Mend: Use one function from file to array, for training and for use. `minitl.data.read_image` is such a function: it
    keeps the proportions and cuts out the centre, and a saved model remembers how much of it (`crop`).
    """
    model = fine_tuned()  # on whole images
    images, labels = clothes().x_test[:SHOWN], clothes().y_test[:SHOWN]

    x = data.resize(images[:, 4:-4, 4:-4], 28, 28)  # wrong
    wrong = accuracy(model, vgg16.preprocess_input(x), labels)

    x = data.resize(images, 28, 28)  # mended
    mended = accuracy(model, vgg16.preprocess_input(x), labels)
    return Outcome("accuracy", wrong, mended)
