"""Step 1 of transfer learning without labels: the images themselves pose a task whose answer is known.

    rotation   which of four ways was the image turned?             Gidaris, Singh & Komodakis 2018
    simclr     which two views were cut from the same image?        Chen, Kornblith, Norouzi & Hinton 2020
    mae        what stood in the patches that were hidden?          He et al. 2022, here with convolutions

Nobody needs the answers. They are posed because whoever can give them must have learned what edges, sleeves and heels
are, and that is what a base is for. Each method is the same three things: a head on the encoder, a loss, and a function
that makes examples and labels out of images alone. The training loop is `Model.fit`, as for labels.

Reading order: `methods` (the three, and training with labels beside them), `views` (the random views of SimCLR),
`pretraining` (a run). What the bases are worth is measured by `minitl study pretraining` (`course.study`).
"""
