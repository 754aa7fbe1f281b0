"""``python -m services.worker``: one worker process."""

from services.worker.main import main

if __name__ == "__main__":
    main()
