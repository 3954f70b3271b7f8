"""Train the embedded pair: an AlexNet and the same network without biases.

    python -m tools.training caltech101 --data DIR --features FILE

AlexNet keeps its ImageNet-trained convolutions and learns the fully connected layers. X-AlexNet
starts from the trained AlexNet's weights without biases and is fine-tuned as a whole, on the
labels and on AlexNet's logits. `ALIKE` trains both as a whole from the same start, which is what
Table 2 compares. AdamW, one cycle, pictures squeezed into the square whole. Every
random choice is drawn from (seed, epoch, image), so a run that was killed and resumed sees the
same crops as one that was not, and so do one and several processes under torchrun.
"""

from tools.training.loop import build_network, train_network
from tools.training.recipes import ALIKE, RECIPES, TrainConfig

__all__ = ["ALIKE", "RECIPES", "TrainConfig", "build_network", "train_network"]
